// Two one-sided t tests: the only way to say that two arms tie. "Not different" is never evidence for a tie.
#pragma once

#include <optional>
#include <span>

#include "statistics/summary.h"

namespace absorb {

struct Tost {
  double margin = 0;             // in the unit of the differences; equivalence means |true mean| < margin
  double p = 0;                  // the larger of the two one-sided p; NaN for n < 2 or a difference that is not finite
  std::optional<Interval> ci90;  // inside (-margin, margin) exactly when p < 0.05
};

/// Paired TOST (Schuirmann 1987; docs/science.md section 6): H0 mean <= -margin and H0 mean >= margin, df = n - 1.
/// Differences without any spread give p = 0 inside the margin and 1 elsewhere. InternalError unless margin > 0.
Tost tost(const Summary& differences, double margin);
Tost tost(std::span<const double> differences, double margin);

}  // namespace absorb
