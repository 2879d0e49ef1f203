#include "statistics/fieller.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/numbers.h"
#include "statistics/student.h"

namespace absorb {
namespace {

RatioMoments moments_of(std::span<const double> numerator, std::span<const double> denominator) {
  const Summary above = summarize(numerator), below = summarize(denominator);
  const auto n = static_cast<double>(numerator.size());
  double products = 0;
  for (size_t i = 0; i < numerator.size(); ++i) products += (numerator[i] - above.mean) * (denominator[i] - below.mean);
  return {above.mean, below.mean, above.sd * above.sd / n, below.sd * below.sd / n, products / (n - 1) / n};
}

std::string why_no_fraction(std::span<const double> gap, std::span<const double> swap_cost) {
  if (gap.size() < 2) return fmt::format("it needs at least two seeds and has {}", gap.size());
  const auto cost = t_interval(swap_cost);
  if (!cost || !t_interval(gap)) return "a loss is not finite";
  if (cost->low > 0) return {};
  return fmt::format("the swap cost is within its noise: 95 % interval {:.4f} to {:.4f} nats", cost->low, cost->high);
}

}  // namespace

std::optional<Interval> fieller(const RatioMoments& moments, double t) {
  const double t2 = t * t;
  const double a = moments.denominator * moments.denominator - t2 * moments.denominator_variance;
  const double b = moments.numerator * moments.denominator - t2 * moments.covariance;
  const double c = moments.numerator * moments.numerator - t2 * moments.numerator_variance;
  if (!(a > 0) || !std::isfinite(b) || !std::isfinite(c)) return std::nullopt;
  const double root = std::sqrt(std::max(0.0, b * b - a * c));  // never negative for a > 0 but by rounding
  return Interval{(b - root) / a, (b + root) / a};
}

std::optional<Interval> fieller(std::span<const double> numerator, std::span<const double> denominator, double level) {
  check(numerator.size() == denominator.size(), "[fieller] seeds are pairs, but got {} and {} of them",
        numerator.size(), denominator.size());
  check(level > 0 && level < 1, "[fieller] the level must lie in (0, 1), got {}", level);
  if (numerator.size() < 2) return std::nullopt;
  const double df = static_cast<double>(numerator.size()) - 1;
  return fieller(moments_of(numerator, denominator), t_quantile((1 + level) / 2, df));
}

Ratio absorbed_fraction(std::span<const double> gap, std::span<const double> swap_cost) {
  check(gap.size() == swap_cost.size(), "[absorbed_fraction] seeds are pairs, but got {} and {} of them", gap.size(),
        swap_cost.size());
  Ratio ratio{nan, std::nullopt, why_no_fraction(gap, swap_cost)};
  if (!ratio.why_undefined.empty()) return ratio;
  ratio.value = 1 - summarize(gap).mean / summarize(swap_cost).mean;
  if (const auto share = fieller(gap, swap_cost)) ratio.ci = Interval{1 - share->high, 1 - share->low};
  return ratio;
}

std::vector<double> absorbed_fraction_by_seed(std::span<const double> gap, std::span<const double> swap_cost) {
  const Ratio ratio = absorbed_fraction(gap, swap_cost);
  if (!ratio.why_undefined.empty()) return {};
  const double cost = summarize(swap_cost).mean;
  std::vector<double> by_seed(gap.size());
  for (size_t i = 0; i < gap.size(); ++i) by_seed[i] = ratio.value - (gap[i] - (1 - ratio.value) * swap_cost[i]) / cost;
  return by_seed;
}

}  // namespace absorb
