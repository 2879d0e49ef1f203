// The matching solver: twins must not differ in size. It finds the feed-forward width (dense, attention) and the
// experts' hidden width (moe, both) at which every target has the dense model's parameters, or its forward operations.
#pragma once

#include "studies/plan/run_settings.h"
#include "transformer/cost.h"

namespace absorb {

struct Size {
  ParameterCounts parameters;
  ModelCost cost;              // as the model's operations and the types that route them state it
  double flops_per_token = 0;  // forward, of what is active: 2 per multiply-add
};

/// The routes of a run, built for counting alone: without memory or values.
Routes counted_routes(const RunSettings& run, int64_t vocabulary);

/// Counts a run's model and routers without training them.
Size size_of(const RunSettings& run, int64_t vocabulary);

struct Matched {
  std::string target;
  int64_t feed_forward = 0, hidden = 0;  // the solved width; the other one is 0
  Size size;
  double difference = 0;  // relative to the dense model, of the matched quantity
};

/// Sets the widths in `run` (its target's) so that `match` ("parameters", "active_flops", "none") holds against the
/// dense model of the same settings. A width that the study states (moe.hidden > 0) and match = "none" stay.
Matched match_to_dense(RunSettings& run, const std::string& match, int64_t vocabulary);

}  // namespace absorb
