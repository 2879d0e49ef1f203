#include "studies/work/jobs.h"

#include <ATen/DeviceAccelerator.h>
#include <torch/types.h>

#include <algorithm>
#include <iterator>
#include <thread>

#include "studies/work/crew.h"
#include "training/data/vocabulary.h"

namespace absorb {
namespace {

// On an H100 a step of 0.9e12 operations (the paper's size) gains 1.06 with three runs at a time and no more with four,
// one of 6e9 gains 2.0 with eight; one of 6e12 leaves nothing idle.
struct Gain {
  double step_operations;
  int64_t runs;
};
constexpr Gain gains[] = {{5e10, 8}, {3e12, 3}};
constexpr double share_of_memory = 0.8;  // of what is free: pools of several streams are fuller than one

}  // namespace

int64_t runs_that_cores_hold(int64_t threads) {
  return std::max<int64_t>(static_cast<int64_t>(std::thread::hardware_concurrency()) / threads, 1);
}

GpuLoad gpu_load(const RunSettings& run, int64_t vocabulary) {
  constexpr double bytes_a_parameter = 26;   // 18 of weights, gradient, two moments and bf16 copy, and some room
  constexpr double bytes_a_logit = 12;       // fp32, with its softmax and one more
  constexpr double bytes_an_activation = 4;  // fp32
  constexpr double activations = 24;         // of the stream's width, that a block keeps for its backward pass
  const Size size = size_of(run, vocabulary);
  const TrainingSettings& t = run.training;
  const ModelSettings& m = run.model;
  const auto tokens = static_cast<double>(t.batch * m.context), micro = tokens / static_cast<double>(t.accumulate);
  const auto at_once = [micro](double bytes) { return micro * bytes; };
  return {3 * size.flops_per_token * tokens,
          bytes_a_parameter * static_cast<double>(size.parameters.unique) +
              at_once(bytes_a_logit * static_cast<double>(vocabulary)) +
              at_once(bytes_an_activation * activations * static_cast<double>(m.layers * m.width))};
}

int64_t runs_that_help(const std::vector<GpuLoad>& runs, double free_bytes) {
  GpuLoad largest;
  for (const GpuLoad& run : runs) {
    largest.step_operations = std::max(largest.step_operations, run.step_operations);
    largest.bytes = std::max(largest.bytes, run.bytes);
  }
  const auto* gain = std::find_if(std::begin(gains), std::end(gains),
                                  [&](const Gain& g) { return largest.step_operations <= g.step_operations; });
  if (runs.empty() || gain == std::end(gains)) return 1;
  const auto fit = static_cast<int64_t>(std::min(share_of_memory * free_bytes / largest.bytes, 1e6));
  return std::clamp<int64_t>(std::min(fit, static_cast<int64_t>(runs.size())), 1, gain->runs);
}

int64_t runs_that_help(const RunPlan& plan, at::Device device) {
  if (!share_switches(plan)) return 1;
  std::vector<GpuLoad> loads;
  for (const RunSpec& run : plan.runs)
    if (!is_closed(run)) loads.push_back(gpu_load(run.settings, stated_vocabulary(run.settings.data)));
  at::globalContext().lazyInitDevice(device.type());
  return std::min(runs_that_cores_hold(1),  // every run keeps one busy
                  runs_that_help(loads, static_cast<double>(at::accelerator::getMemoryInfo(device.index()).first)));
}

}  // namespace absorb
