// How many held-out sequences a measure reads, and what more it would need for the precision it was asked for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compensation/recovery/recovery.h"

namespace absorb {

/// `count` of `available` sequences, evenly spread.
std::vector<int64_t> spread_evenly(int64_t count, int64_t available);

/// Standard error over |value|; infinite where either is not known or the value is 0.
double relative_error(const Measured& measured);

/// "a relative error of 0.23, above 0.1: about 22 draws instead of 4", or sequences, whichever of the two samples adds
/// more to the error; their number times (relative error / precision)^2, as errors fall with the root of it. Empty
/// where the precision is met, and where no number can be said. `rows` [draws][sequences] are those of `measured`.
std::string more_needed(const DrawRows& rows, const Measured& measured, double precision);

}  // namespace absorb
