// What is said about a handful of numbers, one per seed: n, mean, sd and an interval. Surprising: nothing here throws
// for too few numbers or for a NaN among them. What cannot be computed is NaN, or an absent interval, and becomes null
// in JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace absorb {

/// Both ends belong to it; 95 % unless a function takes another level.
struct Interval {
  double low = 0, high = 0;
  bool contains(double value) const { return low <= value && value <= high; }
};

/// In the unit of the values (nats per token for losses).
struct Summary {
  int64_t n = 0;
  double mean = 0;  // NaN for n = 0
  double sd = 0;    // divided by n - 1; NaN for n < 2
};

Summary summarize(std::span<const double> values);

/// mean -+ t(n - 1) * sd / sqrt(n) (docs/science.md section 6). Absent for n < 2 and where a value is not finite.
std::optional<Interval> t_interval(const Summary& summary, double level = 0.95);
std::optional<Interval> t_interval(std::span<const double> values, double level = 0.95);

/// Variance of `treatment` over that of `control`, each over its own seeds. NaN for fewer than two seeds in either or a
/// control without variance.
double variance_ratio(std::span<const double> treatment, std::span<const double> control);

/// treatment[i] - control[i]; InternalError where the lengths differ (seeds are pairs).
std::vector<double> differences(std::span<const double> treatment, std::span<const double> control);

}  // namespace absorb
