#include "statistics/equivalence.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/numbers.h"
#include "statistics/student.h"

namespace absorb {

Tost tost(const Summary& differences, double margin) {
  check(margin > 0, "[tost] the margin must be above 0, got {}", margin);
  Tost result{margin, nan, t_interval(differences, 0.90)};
  if (!result.ci90) return result;
  if (differences.sd == 0) {
    result.p = std::abs(differences.mean) < margin ? 0.0 : 1.0;
    return result;
  }
  const auto n = static_cast<double>(differences.n);
  const double error = differences.sd / std::sqrt(n);
  const double p_low = t_upper_tail((differences.mean + margin) / error, n - 1);
  const double p_high = t_upper_tail((margin - differences.mean) / error, n - 1);
  result.p = std::max(p_low, p_high);
  return result;
}

Tost tost(std::span<const double> differences, double margin) {
  return tost(summarize(differences), margin);
}

}  // namespace absorb
