#include "statistics/power.h"

#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "core/error.h"
#include "statistics/equivalence.h"
#include "statistics/paired.h"
#include "tests/statistics/simulate.h"

namespace absorb {
namespace {

PairedDesign design(double sd, double margin, double alpha = 0.05, int64_t least_n = verdict_n) {
  return {sd, margin, alpha, least_n};
}

TEST(StatisticsPower, TTestAgainstPublishedTables) {
  // R: power.t.test(delta = 0.5, sd = 1, power = 0.8, type = "paired"): n = 33.36713; G*Power 3.1: at n = 34 and
  // dz = 0.5 the power is 0.8077775.
  EXPECT_EQ(seeds_for_t(design(1, 0.5), 0.8), 34);
  EXPECT_NEAR(t_power(design(1, 0.5), 34), 0.8077775, 5e-8);
  EXPECT_DOUBLE_EQ(t_power(design(0.02, 0.01), 34), t_power(design(1, 0.5), 34));  // the ratio alone matters
}

TEST(StatisticsPower, TostAtAMarginOfTwoSd) {
  // docs/science.md section 6: 0.56 at n = 3 and 0.95 at n = 5 for a true gap of 0.
  EXPECT_NEAR(tost_power(design(1, 2), 3), 0.56, 0.005);
  EXPECT_NEAR(tost_power(design(1, 2), 5), 0.95, 0.005);
}

TEST(StatisticsPower, TostWithTwoSeedsInClosedForm) {
  // df = 1, so that s / sd is |gauss|: by a plain sum over a fine grid instead of the quadrature.
  const double c = std::tan(M_PI * 0.45), ratio = 8;  // the 0.95 quantile of Cauchy's distribution
  const double most = std::sqrt(2.0) * ratio / c, step = most / 200'000;
  double sum = 0;
  for (double u = step / 2; u < most; u += step)
    sum += std::erf((std::sqrt(2.0) * ratio - c * u) / std::sqrt(2.0)) * std::sqrt(2 / M_PI) * std::exp(-u * u / 2);
  EXPECT_NEAR(tost_power(design(1, ratio), 2), sum * step, 1e-8);
}

TEST(StatisticsPower, TostAtTheMarginHasTheSizeOfTheTest) {
  for (int64_t n : {3, 5, 10, 100})
    for (double mean : {-5, 5}) EXPECT_NEAR(tost_power(design(1, 5), n, mean), 0.05, 1e-6) << n;
  EXPECT_LT(tost_power(design(1, 0.5), 5, 0.5), 0.05);  // conservative where the margin is within the noise
}

TEST(StatisticsPower, TheSmallestSeedsThatReachIt) {
  for (double ratio : {0.2, 0.5, 1.0, 1.5})
    for (double power : {0.5, 0.8, 0.95})
      for (double alpha : {0.05, 0.05 / 6}) {
        const PairedDesign wanted = design(1, ratio, alpha, 2);
        const auto t = seeds_for_t(wanted, power), equivalence = seeds_for_tost(wanted, power);
        ASSERT_TRUE(t && equivalence);
        EXPECT_GE(t_power(wanted, *t), power);
        EXPECT_LT(t_power(wanted, *t - 1), power) << ratio;
        EXPECT_GE(tost_power(wanted, *equivalence), power);
        EXPECT_LT(tost_power(wanted, *equivalence - 1), power) << ratio;
      }
}

TEST(StatisticsPower, Edges) {
  EXPECT_EQ(seeds_for_t(design(1e-9, 1), 0.99), verdict_n);  // never below what a verdict needs
  EXPECT_EQ(seeds_for_tost(design(1e-9, 1), 0.99), verdict_n);
  EXPECT_EQ(seeds_for_t(design(1e-9, 1, 0.05, positive_control_n), 0.99), positive_control_n);
  EXPECT_FALSE(seeds_for_t(design(1, 1e-3), 0.8));
  EXPECT_FALSE(seeds_for_tost(design(1, 1e-3), 0.8));
  EXPECT_EQ(t_power(design(1, 1), 1), 0);
  EXPECT_EQ(tost_power(design(1, 1), 1), 0);
  EXPECT_THROW(t_power(design(0, 1), 5), InternalError);
  EXPECT_THROW(tost_power(design(1, 0), 5), InternalError);
  EXPECT_THROW(seeds_for_t(design(1, 1), 1), InternalError);
  EXPECT_THROW(seeds_for_t(design(1, 1, 0.5), 0.8), InternalError);
}

TEST(StatisticsPower, UpperLimitOfAnSd) {
  // Tables of chi-square: the 0.2 quantile with 4 degrees of freedom is 1.649; with 9, 5.380.
  EXPECT_NEAR(sd_upper_limit(1, 5), std::sqrt(4 / 1.649), 5e-4);
  EXPECT_NEAR(sd_upper_limit(0.02, 10), 0.02 * std::sqrt(9 / 5.380), 5e-6);
  for (int64_t n : {2, 3, 5, 10}) {
    const double above = simulated_share(static_cast<uint64_t>(950 + n), [&](Random& random) {
      return sd_upper_limit(summarize(simulate_differences(random, n, 0, 1)).sd, n) >= 1;
    });
    EXPECT_NEAR(above, 0.8, monte_carlo_error(0.8)) << "n = " << n;
  }
  EXPECT_THROW(sd_upper_limit(1, 1), InternalError);
  EXPECT_THROW(sd_upper_limit(1, 5, 1), InternalError);
}

/// p_t <= alpha. Many seeds are judged by the interval that leaves 0 out, which is the same: paired() would flip signs.
bool t_passes(const std::vector<double>& differences, double alpha) {
  if (differences.size() <= 14) return paired(differences).p_t <= alpha;
  return !t_interval(differences, 1 - alpha)->contains(0);
}

// What the planner promises at its n, against 2,000 studies of that many seeds, judged by the tests themselves.
TEST(StatisticsPower, ThePromisedPowerIsMet) {
  constexpr int studies = 2000;
  uint64_t seed = 970;
  struct Case {
    double sd, margin, power;
  };
  for (const Case& c : {Case{0.015, 0.02, 0.8}, Case{0.05, 0.02, 0.8}, Case{0.01, 0.02, 0.9}, Case{0.03, 0.05, 0.5}})
    for (double alpha : {0.05, 0.05 / 3}) {
      const double sd = c.sd, margin = c.margin, power = c.power;
      const PairedDesign wanted = design(sd, margin, alpha);
      const auto t = seeds_for_t(wanted, power), equivalence = seeds_for_tost(wanted, power);
      ASSERT_TRUE(t && equivalence);
      const double found = simulated_share(
          ++seed, [&](Random& random) { return t_passes(simulate_differences(random, *t, margin, sd), alpha); },
          studies);
      const double tied = simulated_share(
          ++seed,
          [&](Random& random) { return tost(simulate_differences(random, *equivalence, 0, sd), margin).p <= alpha; },
          studies);
      EXPECT_NEAR(found, t_power(wanted, *t), 0.03) << sd << ' ' << margin << ' ' << power << ' ' << alpha;
      EXPECT_NEAR(tied, tost_power(wanted, *equivalence), 0.03) << sd << ' ' << margin << ' ' << power << ' ' << alpha;
    }
}

TEST(StatisticsPower, SmallestFoundIsWhatEightyPercentFind) {
  for (const int64_t n : {3, 5, 10, 50}) {
    const double found = smallest_found(0.02, n);
    EXPECT_NEAR(t_power({0.02, found}, n), 0.8, 1e-9) << n;
  }
  // An integral over the sd of five normal numbers (midpoint rule in Python, 200,000 points): 1.681997.
  EXPECT_NEAR(smallest_found(1, 5), 1.681997, 2e-6);
  EXPECT_TRUE(std::isnan(smallest_found(0.02, 1)));
  EXPECT_TRUE(std::isnan(smallest_found(0, 5)));
}

}  // namespace
}  // namespace absorb
