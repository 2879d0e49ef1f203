// absorb compensate and absorb graph: recovery of one trained run, measured and exported.
#include <unistd.h>

#include <iostream>
#include <set>

#include "compensation/recovery_file.h"
#include "core/device.h"
#include "core/error.h"
#include "studies/command/commands.h"
#include "studies/command/summary.h"
#include "studies/subject.h"

namespace absorb {
namespace {

// The runs of an arm that a measurement is about: one seed, every target that the arm was trained for.
std::vector<RunSpec> runs_of(const RunPlan& plan, const std::string& arm, const std::string& target, int64_t seed) {
  std::vector<RunSpec> out;
  std::set<std::string> arms;
  for (const RunSpec& run : plan.runs) {
    if (run.settings.target == "dense") continue;
    arms.insert(run.arm);
    if (run.arm == arm && (target.empty() || run.settings.target == target) && (seed < 0 || run.settings.seed == seed))
      out.push_back(run);
  }
  require(!out.empty(), "no run of arm \"{}\"{}{}; arms: {}", arm, target.empty() ? "" : " and target " + target,
          seed < 0 ? "" : fmt::format(" and seed {}", seed), join({arms.begin(), arms.end()}));
  return out;
}

std::string signed_nats(const Measured& m) {
  return fmt::format("{:+.4f} +/- {:.4f}", m.value, m.standard_error);
}

void print_result(const RecoveryResult& r) {
  std::cout << fmt::format("\n{}: swap costs {} nats ({} draws, {} sequences)\n", to_string(r.router),
                           signed_nats(r.swap_cost), r.draws, r.held_out_sequences);
  for (const Recovery& recovery : r.groups)
    if (!recovery.group.components.empty())
      std::cout << fmt::format("  {:<14}{:>22} nats recovered in {} steps\n", recovery.group.name,
                               signed_nats(recovery.measured), r.steps);
  if (r.share.share)
    std::cout << fmt::format("  cross-layer share {:.3f} (Shapley: module {:+.4f}, rest {:+.4f}, cross {:+.4f})\n",
                             *r.share.share, r.share.module.value, r.share.rest.value, r.share.cross.value);
  else
    std::cout << "  cross-layer share undefined: " << r.share.undefined << '\n';
  for (const Diverged& d : r.diverged) std::cout << fmt::format("  diverged and left out: {}\n", d.group);
}

bool wanted(const Component& router, const std::vector<int64_t>& layers) {
  return layers.empty() || std::count(layers.begin(), layers.end(), router.layer) > 0;
}

RunRecovery measure(const RunSpec& run, const CompensateOptions& options) {
  const std::unique_ptr<Subject> subject = make_subject(run.folder, find_device(options.device));
  for (const int64_t layer : options.layers)
    require(layer >= 0 && layer < subject->layers(), "--layers: there is no layer {}; the run has 0 to {}", layer,
            subject->layers() - 1);
  RecoverySettings settings;
  settings.steps = options.steps;
  settings.draws = options.draws;
  settings.held_out_sequences = std::min(options.sequences, subject->held_out());
  settings.cache = run.folder / "compensation";
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  settings.progress = [&](std::string_view next, int64_t done, int64_t total) {
    if (terminal) std::cerr << fmt::format("\r\033[K{} {}/{} {}", run.name(), done, total, next) << std::flush;
  };
  RunRecovery recovery{run.arm, run.settings.target, run.settings.seed, {}};
  for (const Component& router : router_components(subject->components()))
    if (wanted(router, options.layers)) {
      recovery.results.push_back(measure_recovery(*subject, router, settings));
      if (terminal) std::cerr << "\r\033[K";
      print_result(recovery.results.back());
    }
  save_recovery(run.folder / "recovery.json", recovery);
  return recovery;
}

}  // namespace

int compensate_command(const CompensateOptions& options) {
  const RunPlan plan = plan_in(options.folder);
  const int64_t seed = options.seed >= 0 ? options.seed : plan.runs.at(0).settings.seed;
  configure_torch(static_cast<int>(plan.runs[0].settings.training.threads), plan.runs[0].settings.training.tf32);
  for (const RunSpec& run : runs_of(plan, options.arm, options.target, seed)) {
    std::cout << fmt::format("# {} (unmatched: neither capacity nor dose is equal between groups)\n", run.name());
    measure(run, options);
  }
  std::cout << fmt::format("\ngraph: absorb graph {} --export graphml\n", options.folder.string());
  return exit_done;
}

int graph_command(const GraphOptions& options) {
  const std::vector<std::string> formats = {"graphml", "dot", "json", "csv"};
  require(std::count(formats.begin(), formats.end(), options.format) == 1, "--export must be one of {} but got \"{}\"",
          join(formats), options.format);
  std::vector<RunRecovery> measured;
  for (const RunSpec& run : runs_of(plan_in(options.folder), options.arm, options.target, options.seed))
    if (std::filesystem::exists(run.folder / "recovery.json"))
      measured.push_back(load_recovery(run.folder / "recovery.json"));
  require(!measured.empty(), "{}: nothing was measured for arm \"{}\" yet: run `absorb compensate {}` first",
          options.folder.string(), options.arm, options.folder.string());
  const CompensationGraph graph = recovery_graph(measured);
  if (options.format == "graphml")
    graph.write_graphml(std::cout);
  else if (options.format == "dot")
    graph.write_dot(std::cout);
  else if (options.format == "json")
    graph.write_json(std::cout);
  else
    graph.write_csv(std::cout);
  return exit_done;
}

}  // namespace absorb
