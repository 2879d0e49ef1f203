// What trains, when, and how fast: [training] train, rates, freeze and thaw, by pattern of parameter names.
#pragma once

#include "tensors/parameters.h"
#include "training/settings.h"

namespace absorb {

/// Marks what settings.train leaves out as not trained. Call before the parameters are gathered. UserError for a
/// pattern here, in rates, freeze or thaw that fits no parameter.
void select_trained(const Parameters& parameters, const TrainingSettings& settings);

/// A run [begin, end) of the flat buffers that steps at `ratio` times the learning rate; 0: it doesn't.
struct RateRange {
  int64_t begin = 0, end = 0;
  double ratio = 1;
  bool operator==(const RateRange&) const = default;
};
/// At step `step` (the first is 1), in order, neighbours of one ratio merged; they cover everything.
std::vector<RateRange> rate_ranges(const Parameters& parameters, const TrainingSettings& settings, int64_t step);

/// Whether shell pattern `pattern` (`*`, `?`, `[...]`; `*` passes dots) fits `name`.
bool fits(const std::string& pattern, const std::string& name);

}  // namespace absorb
