#include "studies/cost/memory.h"

#include <c10/util/Exception.h>
#include <torch/types.h>

#include "core/device.h"
#include "core/error.h"
#include "studies/cost/bench.h"

namespace absorb {
namespace {

bool fits(const RunSettings& run, int64_t vocabulary, at::Device device, bool fused) {
  try {
    BenchRun trial(run, vocabulary, device, fused, /*warmup=*/3);  // a captured one falls back where it doesn't fit
    trial.evaluate(/*exactly=*/true);
    return true;
  } catch (const c10::OutOfMemoryError&) {
    return false;
  }
}

}  // namespace

void say_what_fits(const RunSettings& run, int64_t vocabulary, at::Device device, bool fused) {
  RunSettings smaller = run;
  const TrainingSettings& t = run.training;
  smaller.attention.moments_of.clear();
  smaller.moe.moments_of.clear();
  for (int64_t pieces = t.accumulate + 1; pieces <= t.batch; ++pieces) {
    if (t.batch % pieces != 0) continue;
    smaller.training.accumulate = pieces;
    if (fits(smaller, vocabulary, device, fused))
      user_error(
          "{} sequences of {} tokens at once don't fit the memory of the {}: training.accumulate = {} does, which "
          "takes "
          "{} at a time (or lower training.batch)",
          t.batch / t.accumulate, run.model.context, device_name(device), pieces, t.batch / pieces);
  }
  user_error("not even one sequence of {} tokens fits the memory of the {}: lower model.context or model.width",
             run.model.context, device_name(device));
}

}  // namespace absorb
