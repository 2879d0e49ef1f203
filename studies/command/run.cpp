#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <utility>

#include "core/device.h"
#include "core/error.h"
#include "core/text/clock.h"
#include "studies/command/commands.h"
#include "studies/command/summary.h"
#include "studies/cost/estimate.h"
#include "studies/cost/memory.h"
#include "studies/folder/analysis_lock.h"
#include "studies/folder/claim.h"
#include "studies/folder/paths.h"
#include "studies/plugin/load.h"
#include "studies/run/deployment.h"
#include "studies/run/provenance.h"
#include "studies/study/tune.h"
#include "studies/work/display.h"
#include "studies/work/jobs.h"
#include "studies/work/work.h"
#include "training/checkpoint.h"
#include "training/data/dataset.h"

namespace absorb {
namespace {

std::vector<std::string> missing_corpora(const RunPlan& plan) {
  std::set<std::string> missing;
  for (const RunSpec& run : plan.runs)
    if (!is_closed(run))
      for (const std::string& file : missing_files(run.settings.data)) missing.insert(file);
  return {missing.begin(), missing.end()};
}

int64_t default_jobs(const RunPlan& plan, at::Device device) {
  if (device.is_cuda()) return runs_that_help(plan, device);
  return runs_that_cores_hold(plan.runs.empty() ? 1 : plan.runs[0].settings.training.threads);
}

std::string time_text(const RunPlan& plan, const StudyCost& cost, at::Device device, int64_t jobs, bool fused) {
  const std::string with = fmt::format("with {} job{}", jobs, jobs == 1 ? "" : "s");
  if (device.is_cuda())
    return fmt::format("{} on this {} {}, from steps of each arm taken now",
                       clock_text(measured_seconds(plan, device, fused, jobs)), device_name(device), with);
  return fmt::format("roughly {} on this CPU {}", clock_text(cost.seconds / static_cast<double>(jobs)), with);
}

void print_dry_run(const Study& study, const RunPlan& plan, at::Device device, int64_t jobs, bool fused) {
  std::cout << fmt::format("study {}: {} runs in {}\n\n", study.settings.name, plan.runs.size(), plan.folder.string());
  std::set<std::string> shown;
  for (const RunSpec& run : plan.runs) {
    std::cout << fmt::format("{:<60} {}\n", run.name(), is_closed(run) ? "closed" : "open");
  }
  for (const RunSpec& run : plan.runs)
    if (shown.insert(run.folder.parent_path().string()).second)
      std::cout << "\n# " << run.name() << "\n" << Settings::from_json(write_run_settings(run.settings), "").toml();
  const StudyCost cost = estimate(plan, device, jobs);
  std::cout << '\n' << describe_sizes(plan, study.settings.match);
  const std::uintmax_t free = free_bytes(plan.folder);
  std::cout << fmt::format("\ndisk: {:.1f} MB stay, {:.1f} MB at the most while it runs{}\n",
                           static_cast<double>(cost.final_bytes) / 1e6, static_cast<double>(cost.peak_bytes) / 1e6,
                           cost.peak_bytes > free ? fmt::format(", and {:.1f} MB are free: `absorb run` would refuse",
                                                                static_cast<double>(free) / 1e6)
                                                  : "");
  std::cout << fmt::format("time: {}\n", time_text(plan, cost, device, jobs, fused)) << std::flush;
  for (const std::string& file : missing_corpora(plan))
    std::cout << fmt::format("missing: {} (scripts/setup unpacks the default corpus)\n", file);
}

void require_disk(const RunPlan& plan, at::Device device, int64_t jobs) {
  const std::uintmax_t needed = estimate(plan, device, jobs).peak_bytes, free = free_bytes(plan.folder);
  require(needed <= free, "{}: the study needs {:.1f} MB of disk but {:.1f} MB are free", plan.folder.string(),
          std::ceil(static_cast<double>(needed) / 1e5) / 10, std::floor(static_cast<double>(free) / 1e5) / 10);
}

// Opens every corpus once, so that what is wrong with one is said before anything is written, and its tokens are made
// once rather than by every worker. Runs of before, the finished ones too, must have been trained on the same data: a
// seed that is added would else be paired with seeds of other text.
void open_corpora(const RunPlan& plan) {
  if (std::all_of(plan.runs.begin(), plan.runs.end(), is_closed)) return;
  std::map<std::string, std::shared_ptr<const Dataset>> opened;
  for (const RunSpec& run : plan.runs) {
    const auto& [data, context, seed] = std::tie(run.settings.data, run.settings.model.context, run.settings.seed);
    auto& dataset = opened[fmt::format("{} {} {}", write_data(data).dump(), context, seed)];
    if (!dataset) dataset = make_dataset(data, context, static_cast<uint64_t>(seed));
    require_same_data(run.folder, *dataset);
  }
}

std::vector<std::string> worker_command(const RunOptions& options) {
  std::vector<std::string> argv = {"absorb",
                                   "run",
                                   options.study.string(),
                                   "--runs",
                                   options.runs.string(),
                                   "--device",
                                   options.device,
                                   "--kernels",
                                   options.kernels,
                                   "--jobs",
                                   "1",
                                   "--worker"};
  if (options.tuning) argv.emplace_back("--tuning");
  if (options.first_seeds > 0) {
    argv.emplace_back("--first-seeds");
    argv.push_back(std::to_string(options.first_seeds));
  }
  for (const std::string& set : options.sets) {
    argv.push_back("--set");
    argv.push_back(set);
  }
  for (const LoadedPlugin& plugin : loaded_plugins()) {
    argv.push_back("--plugin");
    argv.push_back(plugin.file.string());
  }
  return argv;
}

std::string begun(const RunOptions& options, const RunPlan& plan, int64_t jobs) {
  const auto closed = std::count_if(plan.runs.begin(), plan.runs.end(), is_closed);
  return fmt::format("begun: {} ({} of {} runs finished, {} at a time)", join(options.argv, " "), closed,
                     plan.runs.size(), jobs);
}

std::string ended(const WorkResult& result) {
  return fmt::format("{}: {} runs done, {} failed, {} open, {} undeployed",
                     result.interrupted ? "interrupted" : "ended", result.done, result.failed, result.open,
                     result.undeployed);
}

WorkOptions work_options(const RunOptions& options, const Study& study, at::Device device, int64_t jobs) {
  const bool fused = options.kernels == "fused";
  return {
      device,
      jobs,
      device.is_cuda(),
      options.worker,
      options.argv,
      worker_command(options),
      study.settings.top_k,
      fused,
      [device, fused](const RunSettings& run, int64_t vocabulary) { say_what_fits(run, vocabulary, device, fused); }};
}

// What killed processes left: files that they were writing, and checkpoints of runs that had just finished.
void remove_leftovers(const RunPlan& plan) {
  remove_asides(plan.folder, false);
  for (const RunSpec& run : plan.runs)
    if (is_closed(run) && !live_claim(run.folder)) remove_checkpoints(run.folder);
}

// What the command does once, before any worker starts.
void prepare(const RunOptions& options, const Study& study, const RunPlan& plan, at::Device device, int64_t jobs) {
  require_weights_for_open(plan);
  require_disk(plan, device, jobs);
  open_corpora(plan);
  require_writable(options.runs);
  remove_leftovers(plan);
  lock_analysis(study, plan.folder);
  write_study(study, plan.folder);
  write_plan(plan.folder, plan_record(study, plan));
}

// The table, or what is missing from it; the exit status.
// A grid's table stays in its folder.
int say_how_it_ended(const WorkResult& result, const RunPlan& plan, bool grid) {
  if (result.interrupted && (result.open > 0 || result.undeployed > 0)) {
    std::cerr << fmt::format("stopped with {} of {} runs finished; the same command goes on where it stopped\n",
                             result.done + result.failed, plan.runs.size());
    return exit_resumable;
  }
  const std::string table = summarise(plan.folder);
  if (!grid) std::cout << table;
  if (result.open > 0 || result.undeployed > 0) {
    std::cerr << fmt::format("absorb: {} runs were not {}; the lines above say why\n",
                             result.open > 0 ? result.open : result.undeployed,
                             result.open > 0 ? "finished" : "deployed");
    return result.worker_status == 0 ? static_cast<int>(exit_ours) : result.worker_status;
  }
  return result.failed > 0 ? exit_some_failed : exit_done;
}

// The runs of the study's first `count` seeds; 0: of all.
RunPlan first_seeds(RunPlan plan, const Study& study, int64_t count) {
  if (count <= 0) return plan;
  const auto end = study.settings.seeds.begin() + std::min(count, std::ssize(study.settings.seeds));
  std::erase_if(plan.runs, [&](const RunSpec& run) {
    return std::find(study.settings.seeds.begin(), end, run.settings.seed) == end;
  });
  return plan;
}

// Works through the plan, or, in stages, through seed after seed until the verdicts are there; with what was asked for
// in the end. A look that has to wait for runs that failed or are held elsewhere isn't taken.
std::pair<WorkResult, RunPlan> work_in_stages(RunOptions options, const Study& study, const RunPlan& plan,
                                              WorkOptions how) {
  if (study.stages.empty()) return {work(plan, how), plan};
  const auto most = std::ssize(study.settings.seeds);
  for (options.first_seeds = study.stages.least;; ++options.first_seeds) {
    RunPlan stage = first_seeds(plan, study, options.first_seeds);
    how.worker_argv = worker_command(options);
    const WorkResult result = work(stage, how);
    const bool ends = result.interrupted || result.open > 0 || result.undeployed > 0 || options.first_seeds == most;
    if (!ends && !is_decided(plan.folder)) continue;
    if (!ends) how.log.info(fmt::format("decided with {} of {} seeds", options.first_seeds, most));
    return {result, stage};
  }
}

// One study, planned: its grid, or what it asks.
int run_study(const RunOptions& options, const Study& study) {
  const RunPlan plan = plan_runs(study, options.runs);
  refuse_noncausal(plan);
  const at::Device device = find_device(options.device);
  const int64_t jobs = options.jobs > 0 ? options.jobs : default_jobs(plan, device);
  if (options.dry_run) {
    print_dry_run(study, plan, device, jobs, options.kernels == "fused");
    return exit_done;
  }
  for (const std::string& file : missing_corpora(plan))
    user_error("{}: data names {}, which doesn't exist (scripts/setup unpacks the default corpus)",
               options.study.string(), file);
  refuse_another_study(plan);
  refuse_changed_runs(plan);
  WorkOptions how = work_options(options, study, device, jobs);
  if (!options.worker) prepare(options, study, plan, device, jobs);
  how.log = StudyLog(plan.folder);
  if (options.worker) {
    const WorkResult result = work(first_seeds(plan, study, options.first_seeds), how);
    return result.interrupted ? exit_resumable : exit_done;
  }
  how.log.info(begun(options, plan, jobs));
  const auto [result, stage] = work_in_stages(options, study, plan, how);
  how.log.info(ended(result));
  return say_how_it_ended(result, stage, options.tuning);
}

// Trains the grid of [tune] first, as a study of its own.
int run_tuned(RunOptions options, const Study& study) {
  const Study grid = tuning_study(study);
  const RunPlan plan = plan_runs(grid, options.runs);
  const bool finished = std::all_of(plan.runs.begin(), plan.runs.end(), is_closed);
  if (options.worker) return run_study(options, options.tuning ? grid : tuned(study, options.runs));
  if (options.dry_run && !finished)
    std::cout << fmt::format("First the grid of [tune]; then {} with each arm's best of it.\n\n", study.settings.name);
  if (!finished) {
    options.tuning = true;
    const int status = run_study(options, grid);
    if (options.dry_run || (status != exit_done && status != exit_some_failed)) return status;
    std::cerr << fmt::format("the grid is trained; now {} with each arm's best of it\n", study.settings.name);
  }
  options.tuning = false;
  return run_study(options, tuned(study, options.runs));
}

}  // namespace

int run_command(const RunOptions& options) {
  const Study study = read_study(options.study, options.sets);
  return study.tune.empty() ? run_study(options, study) : run_tuned(options, study);
}

}  // namespace absorb
