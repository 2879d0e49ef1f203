#include "statistics/summary.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/numbers.h"
#include "statistics/student.h"

namespace absorb {

Summary summarize(std::span<const double> values) {
  Summary summary{static_cast<int64_t>(values.size()), nan, nan};
  if (values.empty()) return summary;
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  for (double value : values) sum += value;
  summary.mean = sum / n;
  if (values.size() < 2) return summary;
  double squares = 0, rest = 0;  // `rest` takes the rounding of the mean out again
  for (double value : values) {
    squares += (value - summary.mean) * (value - summary.mean);
    rest += value - summary.mean;
  }
  summary.sd = std::sqrt(std::max(0.0, squares - rest * rest / n) / (n - 1));
  if (!std::isfinite(summary.mean)) summary.sd = nan;  // max() would have turned a NaN into 0
  return summary;
}

std::optional<Interval> t_interval(const Summary& summary, double level) {
  check(level > 0 && level < 1, "[t_interval] the level must lie in (0, 1), got {}", level);
  if (summary.n < 2 || !std::isfinite(summary.mean) || !std::isfinite(summary.sd)) return std::nullopt;
  const auto n = static_cast<double>(summary.n);
  const double half = t_quantile((1 + level) / 2, n - 1) * summary.sd / std::sqrt(n);
  return Interval{summary.mean - half, summary.mean + half};
}

std::optional<Interval> t_interval(std::span<const double> values, double level) {
  return t_interval(summarize(values), level);
}

double variance_ratio(std::span<const double> treatment, std::span<const double> control) {
  const double above = summarize(treatment).sd, below = summarize(control).sd;
  return below > 0 ? (above / below) * (above / below) : nan;
}

std::vector<double> differences(std::span<const double> treatment, std::span<const double> control) {
  check(treatment.size() == control.size(), "[differences] seeds are pairs, but got {} and {} of them",
        treatment.size(), control.size());
  std::vector<double> result(treatment.size());
  for (size_t i = 0; i < result.size(); ++i) result[i] = treatment[i] - control[i];
  return result;
}

}  // namespace absorb
