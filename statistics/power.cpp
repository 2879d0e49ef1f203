#include "statistics/power.h"

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <cmath>

#include "core/error.h"
#include "core/numbers.h"
#include "statistics/student.h"

namespace absorb {
namespace {

using boost::math::complement;

void check_design(const PairedDesign& design) {
  check(design.sd > 0 && design.margin > 0 && std::isfinite(design.sd) && std::isfinite(design.margin),
        "[power] needs sd > 0 and margin > 0, got {} and {}", design.sd, design.margin);
  check(design.alpha > 0 && design.alpha < 0.5, "[power] alpha must lie in (0, 1/2), got {}", design.alpha);
}

/// A power that falls with n at first (the TOST's, where it is tiny) or never, and then only grows.
template <class Power>
std::optional<int64_t> smallest_n(int64_t least, double wanted, Power power) {
  check(wanted > 0 && wanted < 1, "[power] the power must lie in (0, 1), got {}", wanted);
  int64_t low = std::max<int64_t>(least, 2);
  if (power(low) >= wanted) return low;
  int64_t high = low;
  while (power(high) < wanted) {
    if (high == most_seeds) return std::nullopt;
    low = high;
    high = std::min(2 * high, most_seeds);
  }
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    (power(middle) >= wanted ? high : low) = middle;
  }
  return high;
}

}  // namespace

double t_power(const PairedDesign& design, int64_t n) {
  check_design(design);
  if (n < 2) return 0;
  const auto seeds = static_cast<double>(n);
  const double shift = std::sqrt(seeds) * design.margin / design.sd;
  const double reached = t_quantile(1 - design.alpha / 2, seeds - 1);
  // So far beyond the test's threshold that it passes to the last digit; Boost's series no longer converges there.
  if (shift > 1000 * (1 + reached)) return 1;
  const boost::math::non_central_t t(seeds - 1, shift);
  return std::min(1.0, boost::math::cdf(complement(t, reached)) + boost::math::cdf(t, -reached));
}

double tost_power(const PairedDesign& design, int64_t n, double mean) {
  check_design(design);
  if (n < 2) return 0;
  const auto seeds = static_cast<double>(n);
  const double df = seeds - 1, root = std::sqrt(seeds), reached = t_quantile(1 - design.alpha, df);
  const boost::math::chi_squared chi(df);
  const boost::math::normal gauss;
  // u = s / sd, whose square is chi-square / df; beyond `most` no mean passes.
  const double most = root * design.margin / (design.sd * reached);
  const double low = std::sqrt(boost::math::quantile(chi, 1e-14) / df),
               high = std::min(most, std::sqrt(boost::math::quantile(complement(chi, 1e-14)) / df));
  if (high <= low) return 0;
  const auto density = [&](double u) {
    const double room = root * design.margin / design.sd - reached * u, shift = root * mean / design.sd;
    const double passes = boost::math::cdf(gauss, room - shift) - boost::math::cdf(gauss, -room - shift);
    return passes * boost::math::pdf(chi, df * u * u) * 2 * df * u;
  };
  const double power = boost::math::quadrature::gauss_kronrod<double, 31>::integrate(density, low, high, 8, 1e-10);
  return std::clamp(power, 0.0, 1.0);
}

std::optional<int64_t> seeds_for_t(const PairedDesign& design, double power) {
  return smallest_n(design.least_n, power, [&](int64_t n) { return t_power(design, n); });
}

std::optional<int64_t> seeds_for_tost(const PairedDesign& design, double power) {
  return smallest_n(design.least_n, power, [&](int64_t n) { return tost_power(design, n); });
}

double smallest_found(double sd, int64_t n, double power, double alpha) {
  if (n < 2 || !(sd > 0) || !std::isfinite(sd)) return nan;
  const auto reaches = [&](double mean) { return t_power({sd, mean, alpha}, n) >= power; };
  double low = 0, high = sd;
  while (!reaches(high)) high *= 2;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (reaches(middle) ? high : low) = middle;
  }
  return high;
}

double sd_upper_limit(double sd, int64_t n, double level) {
  check(n >= 2 && level > 0 && level < 1, "[sd_upper_limit] needs n >= 2 and a level in (0, 1), got {} and {}", n,
        level);
  const auto df = static_cast<double>(n - 1);
  return sd * std::sqrt(df / boost::math::quantile(boost::math::chi_squared(df), 1 - level));
}

}  // namespace absorb
