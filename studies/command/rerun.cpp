#include "studies/command/rerun.h"

#include <iostream>
#include <sstream>

#include "core/device.h"
#include "core/error.h"
#include "studies/bundle/bundle.h"
#include "studies/command/summary.h"
#include "studies/folder/paths.h"
#include "studies/folder/records/provenance.h"
#include "studies/folder/scratch.h"
#include "studies/run/runner.h"

namespace absorb {
namespace {

RunSpec run_named(const RunPlan& plan, const std::string& name) {
  std::vector<std::string> names;
  for (const RunSpec& run : plan.runs) {
    if (run.name() == name) return run;
    names.push_back(run.name());
  }
  user_error("--rerun: there is no run {}; runs: {}", name, join(names));
}

/// Where two metrics part: "line 12: {...}"; empty where they don't.
std::string first_difference(const std::string& a, const std::string& b) {
  std::istringstream first(a), second(b);
  int64_t number = 0;
  for (std::string one, other;;) {
    ++number;
    const bool has_one = static_cast<bool>(std::getline(first, one));
    const bool has_other = static_cast<bool>(std::getline(second, other));
    if (!has_one && !has_other) return "";
    if (has_one != has_other || one != other)
      return fmt::format("line {}: {} then, {} now", number, has_one ? one : "nothing", has_other ? other : "nothing");
  }
}

std::string metrics_difference(const Path& folder, const RunSpec& run, const Path& again) {
  const std::string then = read_file(run.folder / "metrics.jsonl"), now = read_file(again / "metrics.jsonl");
  const auto bundle = bundle_of(folder);
  const bool thin = bundle && bundle->every > 1 && bundle->files.contains(run.name() + "/metrics.jsonl") && then != now;
  return first_difference(then, thin ? thinned(now, bundle->every) : now);
}

/// The hash that the run's weights have, or had where a bundle left them out.
std::string hash_of_weights(const RunSpec& run) {
  const Path weights = run.folder / "weights.safetensors", record = run.folder / "files.json";
  if (std::filesystem::exists(weights)) return file_record(weights).hash;
  if (!std::filesystem::exists(record)) return "";
  const auto files = read_record<FilesRecord>(record).files;
  const auto found = files.find("weights.safetensors");
  return found == files.end() ? "" : found->second.hash;
}

void train_again(const RunSpec& run, const VerifyOptions& options, const std::string& kernels, int64_t top_k) {
  RunnerOptions how;
  how.device = find_device(options.device);
  how.argv = options.argv;
  how.top_k = top_k;
  how.fused = kernels != "composition";
  how.say = [](const std::string& line) { std::cerr << line << '\n'; };
  std::optional<Claim> claim = Claim::take(run.folder);
  require(claim && execute(run, *claim, how) == RunEnd::done, "{}: could not be trained again", run.name());
}

}  // namespace

int rerun(const VerifyOptions& options) {
  const RunPlan plan = plan_in(options.what);
  const RunSpec run = run_named(plan, options.rerun);
  require(is_done(run.folder), "{}: isn't finished: there is nothing to hold a second run to", run.folder.string());
  require(read_file(run.folder / "DONE") == run.identity + '\n',
          "{}: was trained with other settings than the study's, so that it can't be repeated", run.folder.string());
  if (!run.parent_run.empty()) require_weights(run.parent_run, fmt::format("repeating {}", run.name()));
  const auto then = read_record<ProvenanceRecord>(run.folder / "run.json");
  const ScratchFolder elsewhere("rerun");
  RunSpec again = run;
  again.folder = elsewhere.path() / "run";
  train_again(again, options, then.kernels, study_in(options.what).settings.top_k);
  const std::string difference = metrics_difference(options.what, run, again.folder), weights = hash_of_weights(run);
  const bool same = weights.empty() || weights == file_record(again.folder / "weights.safetensors").hash;
  if (difference.empty() && same) {
    std::cout << fmt::format(
        "{}: trained again, {} to the bit\n", run.name(),
        weights.empty() ? "the same metrics (it has no checksum of weights)" : "the same metrics and weights");
    return exit_done;
  }
  std::cerr << fmt::format("absorb: {}: trained again on {} (then: {}), it is another run: {}\n", run.name(),
                           device_name(find_device(options.device)), then.device,
                           difference.empty() ? "its weights differ" : "metrics differ in " + difference);
  return exit_some_failed;
}

}  // namespace absorb
