#include "studies/cost/estimate.h"

#include <torch/types.h>

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>

#include "studies/cost/memory.h"
#include "studies/cost/together.h"
#include "studies/run/runner.h"
#include "studies/work/crew.h"
#include "training/data/source.h"
#include "training/data/vocabulary.h"

namespace absorb {
namespace {

// Of the rate of a bare matrix product, what a whole training step reaches: on one CPU thread between 0.3 (tiny) and
// 0.75 (dense at the small and the paper size).
constexpr double efficiency = 0.4;

double operations_per_second(at::Device device) {
  if (device.is_cuda()) return 100e12;  // of fp32 on an H100 at the paper's size, about, with `efficiency`
  const int64_t n = 384;
  const Tensor a = at::ones({n, n}), b = at::ones({n, n});
  at::mm(a, b);
  const auto start = std::chrono::steady_clock::now();
  constexpr int repeats = 5;
  for (int i = 0; i < repeats; ++i) at::mm(a, b);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return 2.0 * static_cast<double>(n * n * n) * repeats / seconds;
}

double seconds_of(const RunSettings& run, const Size& size, at::Device device, double rate) {
  const TrainingSettings& t = run.training;
  if (device.is_cuda() && t.precision == "bf16") rate *= 6;  // 0.92e12 operations in 3.75 ms
  return 3 * size.flops_per_token * static_cast<double>(t.steps * t.batch * run.model.context) / rate;
}

}  // namespace

StudyCost estimate(const RunPlan& plan, at::Device device, int64_t jobs) {
  StudyCost cost;
  at::set_num_threads(1);
  const double rate = operations_per_second(device) * efficiency;
  std::uintmax_t largest = 0;
  for (const RunSpec& run : plan.runs) {
    if (is_closed(run)) continue;
    const Size size = size_of(run.settings, stated_vocabulary(run.settings.data));
    const TrainingSettings& t = run.settings.training;
    cost.seconds += seconds_of(run.settings, size, device, rate);
    const auto weights = static_cast<std::uintmax_t>(size.parameters.unique) * 4;
    cost.final_bytes += weights + static_cast<std::uintmax_t>(t.steps) * 200 + 100000;
    largest = std::max(largest, weights);
  }
  cost.peak_bytes = cost.final_bytes + largest * 9 * static_cast<std::uintmax_t>(jobs);  // three checkpoints of three
  return cost;
}

namespace {

double held_out_tokens(const RunSettings& run, Split split) {
  const auto source = make_source(run.data);
  if (!source->missing_files().empty()) return 0;
  return source->held_out_tokens(split, run.model.context, static_cast<uint64_t>(run.seed));
}

// A run from its start to DONE, deployments aside.
double seconds_of(const RunSettings& run, const RunTimes& times) {
  const TrainingSettings& t = run.training;
  const auto passes = [&](double tokens) {
    return std::ceil(tokens * static_cast<double>(t.accumulate) / static_cast<double>(t.batch * run.model.context));
  };
  const int64_t every = t.evaluate_every > 0 ? t.evaluate_every : std::max<int64_t>(t.steps / 20, 1);
  const double valid = passes(held_out_tokens(run, Split::valid)), test = passes(held_out_tokens(run, Split::test));
  const double evaluation = std::min(valid, passes(static_cast<double>(t.evaluation_tokens)));
  // Over valid text: the run's own loss, and dense's two limits, or losses under random routers.
  const double losses = run.target == "dense" ? 3 : run.target == "both" ? 4 : 2;
  const int64_t checkpoints = t.steps / t.checkpoint_every + 1, evaluations = (t.steps - 1) / every;
  return 2 * times.build + static_cast<double>(t.steps) * times.step +
         static_cast<double>(checkpoints) * times.checkpoint +
         (static_cast<double>(evaluations) * evaluation + valid) * times.evaluation +
         (losses * valid + test) * times.exact_evaluation;
}

// Of runs that differ in their seed alone.
RunTimes times_of(RunSettings run, at::Device device, bool fused, int64_t jobs, const Path& folder) {
  run.attention.moments_of.clear();  // costs the same with anybody's moments
  run.moe.moments_of.clear();
  const int64_t vocabulary = stated_vocabulary(run.data);
  try {
    return run_times({run, vocabulary, device, fused, jobs}, folder);
  } catch (const c10::OutOfMemoryError&) {
    if (jobs == 1) say_what_fits(run, vocabulary, device, fused);
  }
  return times_of(run, device, fused, jobs - 1, folder);
}

Path existing_above(Path folder) {
  folder = std::filesystem::absolute(folder);
  while (!std::filesystem::exists(folder)) folder = folder.parent_path();
  return folder;
}

}  // namespace

double measured_seconds(const RunPlan& plan, at::Device device, bool fused, int64_t jobs) {
  std::map<std::string, RunTimes> kinds;
  double seconds = 0;
  const auto open =
      std::count_if(plan.runs.begin(), plan.runs.end(), [](const RunSpec& run) { return !is_closed(run); });
  jobs = share_switches(plan) ? std::clamp<int64_t>(open, 1, jobs) : 1;
  for (const RunSpec& run : plan.runs) {
    if (is_closed(run)) continue;
    Json kind = write_run_settings(run.settings);
    for (const char* key : {"seed", "start", "data"}) kind.erase(key);
    const auto [times, isnew] = kinds.try_emplace(kind.dump());
    if (isnew) {
      fmt::print(stderr, "timing {}\n", run.name());
      times->second = times_of(run.settings, device, fused, jobs, existing_above(plan.folder));
    }
    seconds += seconds_of(run.settings, times->second);
  }
  return seconds;
}

double training_seconds(const RunPlan& plan, at::Device device) {
  at::set_num_threads(1);
  const double rate = operations_per_second(device) * efficiency;
  double seconds = 0;
  for (const RunSpec& run : plan.runs)
    seconds += seconds_of(run.settings, size_of(run.settings, stated_vocabulary(run.settings.data)), device, rate);
  return seconds;
}

std::string describe_sizes(const RunPlan& plan, const std::string& match) {
  std::string out = match == "none" ? std::string("targets are not matched\n")
                                    : fmt::format("targets are matched to the dense model by {}\n",
                                                  match == "parameters" ? "total parameters" : "active operations");
  out += fmt::format("{:<10}{:>14}{:>12}{:>12}{:>12}{:>12}{:>12}{:>10}{:>12}\n", "target", "width", "unique", "untied",
                     "non-embed", "module", "router", "MFLOP/tok", "difference");
  for (const Matched& m : plan.matched) {
    const ParameterCounts& p = m.size.parameters;
    const std::string width = m.hidden > 0 ? fmt::format("expert {}", m.hidden) : fmt::format("ff {}", m.feed_forward);
    out += fmt::format("{:<10}{:>14}{:>12}{:>12}{:>12}{:>12}{:>12}{:>10.2f}{:>11.3f}%\n", m.target, width, p.unique,
                       p.untied, p.non_embedding, p.module, p.router, m.size.flops_per_token / 1e6, 100 * m.difference);
  }
  return out;
}

}  // namespace absorb
