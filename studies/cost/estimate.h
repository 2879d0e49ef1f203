// What a study will cost before it runs: for --dry-run and for the check that the disk is large enough.
#pragma once

#include "studies/plan/plan.h"

namespace absorb {

struct StudyCost {
  double seconds = 0;  // of all open runs, one after the other
  std::uintmax_t final_bytes = 0, peak_bytes = 0;
};

/// Time from forward operations x 3 at the rate that a matrix product reaches here and now (a GPU: a fixed rate);
/// a rough figure. Bytes: weights that stay, and the checkpoints of `jobs` runs at a time.
StudyCost estimate(const RunPlan& plan, at::Device device, int64_t jobs);

/// Seconds of all open runs on this GPU, `jobs` of them at a time: steps, evaluations and checkpoints of every kind of
/// arm are timed, with others of its kind (a few seconds each; the checkpoints are removed again). Deployments are left
/// out.
double measured_seconds(const RunPlan& plan, at::Device device, bool fused, int64_t jobs);

/// Seconds of all runs, finished ones too, one after the other; as rough.
double training_seconds(const RunPlan& plan, at::Device device);

/// Parameters, operations and the matched width of every target, as a table.
std::string describe_sizes(const RunPlan& plan, const std::string& match);

}  // namespace absorb
