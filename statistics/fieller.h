// Intervals for ratios of two means over the same seeds, and what is built of them: the absorbed fraction. Surprising:
// a ratio whose denominator may be 0 has no bounded interval, and then none is given; nothing narrower would be honest.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "statistics/summary.h"

namespace absorb {

/// Two estimates with the variances and the covariance of the estimates themselves (of the means, not of one seed).
struct RatioMoments {
  double numerator = 0, denominator = 0;
  double numerator_variance = 0, denominator_variance = 0, covariance = 0;
};

/// Fieller's interval (Fieller 1954): every r with (numerator - r denominator)^2 <= t^2 Var(numerator - r denominator).
/// Absent where that set is unbounded, which is where `denominator` is within t standard errors of 0.
std::optional<Interval> fieller(const RatioMoments& moments, double t);

/// Fieller's interval for mean(numerator) / mean(denominator), element i of both from seed i, with n - 1 degrees of
/// freedom. Absent where unbounded, for n < 2 and where a value is not finite. InternalError where the lengths differ.
std::optional<Interval> fieller(std::span<const double> numerator, std::span<const double> denominator,
                                double level = 0.95);

/// Value NaN and no interval where undefined; `why_undefined` is then half a sentence for the report, otherwise empty.
struct Ratio {
  double value = 0;
  std::optional<Interval> ci;
  std::string why_undefined;
};

/// Absorbed share S = mean(stable) / mean(stable + content), both in nats, by seed (docs/science.md section 4).
/// Undefined unless the 95 % interval of the sum lies above 0.
Ratio absorbed_share(std::span<const double> stable, std::span<const double> content);
/// One number per seed whose mean is S, by the delta method as below. Empty where S is undefined.
std::vector<double> absorbed_share_by_seed(std::span<const double> stable, std::span<const double> content);

/// Absorbed fraction R = 1 - mean(gap) / mean(swap_cost), both in nats, by seed (docs/science.md section 4). Undefined
/// unless the 95 % interval of the swap cost lies above 0.
Ratio absorbed_fraction(std::span<const double> gap, std::span<const double> swap_cost);

/// One number per seed whose mean is R and whose spread is, to first order, that of R: R - (gap_i - (1 - R) cost_i) /
/// mean(cost), the delta method. Subtract those of two targets by seed to compare them: a difference of two ratios has
/// no Fieller interval. Empty where R is undefined.
std::vector<double> absorbed_fraction_by_seed(std::span<const double> gap, std::span<const double> swap_cost);

}  // namespace absorb
