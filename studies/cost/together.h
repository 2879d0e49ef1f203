// What runs take that share a device at the same time, each on a thread and a stream of its own as the workers of
// `absorb run --jobs` are: for `absorb bench --jobs` and the estimate of a study.
#pragma once

#include "studies/cost/bench.h"

namespace absorb {

struct TimedTogether {
  RunSettings run;
  int64_t vocabulary = 0;
  at::Device device = at::kCPU;
  bool fused = true;
  int64_t jobs = 1;
};

/// A run's share in seconds: the time that all of them take over their number.
struct RunTimes {
  double step = 0;
  double evaluation = 0, exact_evaluation = 0;  // of a micro-batch: as during training, and in fp32
  double checkpoint = 0, build = 0;
};

/// Errors as BenchRun's. The first also writes checkpoints below `folder`, and removes them.
RunTimes run_times(const TimedTogether& what, const Path& folder);
double step_seconds(const TimedTogether& what);

}  // namespace absorb
