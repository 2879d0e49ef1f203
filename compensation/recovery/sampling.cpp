#include "compensation/recovery/sampling.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "statistics/summary.h"

namespace absorb {
namespace {

/// Variance of the mean of `means`, as if they were independent; 0 for a single one, about which nothing is known.
double variance_of_mean(const std::vector<double>& means) {
  if (means.size() < 2) return 0;
  const Summary summary = summarize(means);
  return summary.sd * summary.sd / static_cast<double>(summary.n);
}

/// Whether draws, rather than sequences, make most of the error.
bool draws_dominate(const DrawRows& rows) {
  std::vector<double> by_draw, by_sequence(rows.front().size(), 0.0);
  for (const auto& row : rows) {
    by_draw.push_back(summarize(row).mean);
    for (std::size_t i = 0; i < row.size(); ++i) by_sequence[i] += row[i] / static_cast<double>(rows.size());
  }
  return variance_of_mean(by_draw) > variance_of_mean(by_sequence);
}

}  // namespace

std::vector<int64_t> spread_evenly(int64_t count, int64_t available) {
  std::vector<int64_t> examples;
  for (int64_t i = 0; i < count; ++i) examples.push_back(i * available / count);
  return examples;
}

double relative_error(const Measured& measured) {
  const double relative = measured.standard_error / std::abs(measured.value);
  return std::isfinite(relative) ? relative : std::numeric_limits<double>::infinity();
}

std::string more_needed(const DrawRows& rows, const Measured& measured, double precision) {
  const double relative = relative_error(measured);
  if (relative <= precision || std::isinf(relative)) return "";
  const bool draws = draws_dominate(rows);
  const auto now = static_cast<double>(draws ? rows.size() : rows.front().size());
  return fmt::format("a relative error of {:.2g}, above {:g}: about {:.0f} {} instead of {:.0f}", relative, precision,
                     std::ceil(now * (relative / precision) * (relative / precision)), draws ? "draws" : "sequences",
                     now);
}

}  // namespace absorb
