// How many runs at a time where nobody says: on a CPU what its cores hold; on a GPU more than one only where the steps
// are small enough to leave parts of it idle, and where their memory fits. What was measured: docs/performance.md.
#pragma once

#include "studies/plan/plan.h"

namespace absorb {

/// Runs of so many threads each that this machine's cores hold; at least one.
int64_t runs_that_cores_hold(int64_t threads);

/// What one run asks of a GPU, roughly, from its settings alone.
struct GpuLoad {
  double step_operations = 0;  // of a training step, forward and backward: 2 for a multiply-add
  double bytes = 0;            // at its peak, which the fp32 losses after training set
};
GpuLoad gpu_load(const RunSettings& run, int64_t vocabulary);

/// Of runs that share a GPU with so many bytes free; at least one. A run too large for its share after all is met by a
/// crew that shrinks (studies/work/crew.h).
int64_t runs_that_help(const std::vector<GpuLoad>& runs, double free_bytes);

/// The same for a plan's open runs on this GPU; one where they can't share a process.
int64_t runs_that_help(const RunPlan& plan, at::Device device);

}  // namespace absorb
