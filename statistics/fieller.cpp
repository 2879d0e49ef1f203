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

// `what` the denominator is, for the sentence.
std::string why_no_ratio(std::span<const double> numerator, std::span<const double> denominator, const char* what) {
  if (numerator.size() < 2) return fmt::format("it needs at least two seeds and has {}", numerator.size());
  const auto below = t_interval(denominator);
  if (!below || !t_interval(numerator)) return "a loss is not finite";
  if (below->low > 0) return {};
  return fmt::format("{} is within its noise: 95 % interval {:.4f} to {:.4f} nats", what, below->low, below->high);
}

std::vector<double> sum(std::span<const double> a, std::span<const double> b, double sign = 1) {
  std::vector<double> both(a.begin(), a.end());
  for (size_t i = 0; i < both.size(); ++i) both[i] += sign * b[i];
  return both;
}

// The delta method: one number per seed whose mean is the ratio of the means, and whose spread is its to first order.
std::vector<double> ratio_by_seed(std::span<const double> numerator, std::span<const double> denominator) {
  const double mean = summarize(denominator).mean, ratio = summarize(numerator).mean / mean;
  std::vector<double> by_seed(numerator.size());
  for (size_t i = 0; i < by_seed.size(); ++i) by_seed[i] = ratio + (numerator[i] - ratio * denominator[i]) / mean;
  return by_seed;
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

Ratio absorbed_share(std::span<const double> stable, std::span<const double> content) {
  check(stable.size() == content.size(), "[absorbed_share] seeds are pairs, but got {} and {} of them", stable.size(),
        content.size());
  const std::vector<double> both = sum(stable, content);
  Ratio ratio{nan, std::nullopt, why_no_ratio(stable, both, "what routing is worth to training")};
  if (!ratio.why_undefined.empty()) return ratio;
  ratio.value = summarize(stable).mean / summarize(both).mean;
  ratio.ci = fieller(stable, both);
  return ratio;
}

std::vector<double> absorbed_share_by_seed(std::span<const double> stable, std::span<const double> content) {
  if (!absorbed_share(stable, content).why_undefined.empty()) return {};
  return ratio_by_seed(stable, sum(stable, content));
}

Ratio absorbed_fraction(std::span<const double> gap, std::span<const double> swap_cost) {
  check(gap.size() == swap_cost.size(), "[absorbed_fraction] seeds are pairs, but got {} and {} of them", gap.size(),
        swap_cost.size());
  Ratio ratio{nan, std::nullopt, why_no_ratio(gap, swap_cost, "the swap cost")};
  if (!ratio.why_undefined.empty()) return ratio;
  ratio.value = 1 - summarize(gap).mean / summarize(swap_cost).mean;
  if (const auto share = fieller(gap, swap_cost)) ratio.ci = Interval{1 - share->high, 1 - share->low};
  return ratio;
}

std::vector<double> absorbed_fraction_by_seed(std::span<const double> gap, std::span<const double> swap_cost) {
  if (!absorbed_fraction(gap, swap_cost).why_undefined.empty()) return {};
  return ratio_by_seed(sum(swap_cost, gap, -1), swap_cost);
}

}  // namespace absorb
