#include "statistics/equivalence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/error.h"
#include "statistics/paired.h"
#include "tests/statistics/simulate.h"

namespace absorb {
namespace {

TEST(StatisticsTost, LakensTosterVignette) {
  // Lakens, vignette "Introduction to TOSTER" (R package TOSTER 0.3): TOSTone(m = 5.71, mu = 6, sd = 1.79, n = 20,
  // low_eqbound_d = -0.68, high_eqbound_d = 0.68): raw bounds -+1.2172, t1(19) = 2.316516, p1 = 0.01592727,
  // t2(19) = -3.765588, p2 = 0.0006543016, 90 % interval -0.9820961 to 0.4020961.
  const Summary summary{20, 5.71 - 6, 1.79};
  const Tost result = tost(summary, 1.2172);
  EXPECT_NEAR(result.p, 0.01592727, 5e-9);
  ASSERT_TRUE(result.ci90);
  EXPECT_NEAR(result.ci90->low, -0.9820961, 5e-8);
  EXPECT_NEAR(result.ci90->high, 0.4020961, 5e-8);
  EXPECT_DOUBLE_EQ(tost(Summary{20, 0.29, 1.79}, 1.2172).p, result.p);  // the other bound is then the nearer one
}

TEST(StatisticsTost, LakensTosterVignetteFromValues) {
  // The same through values: n values of that mean and sd (half above and half below the mean by d).
  std::vector<double> values;
  const double d = 1.79 * std::sqrt(19.0 / 20);
  for (int i = 0; i < 20; ++i) values.push_back(-0.29 + (i % 2 == 0 ? d : -d));
  EXPECT_NEAR(tost(values, 1.2172).p, 0.01592727, 5e-9);
  // The same page's two-sided test: t(19) = -0.724536, p = 0.4775649.
  EXPECT_NEAR(paired(values).p_t, 0.4775649, 5e-8);
}

TEST(StatisticsTost, PassesExactlyWhenTheNinetyPercentIntervalIsInside) {
  Random random(11);
  int passed = 0;
  for (int study = 0; study < 2000; ++study) {
    const Tost result = tost(simulate_differences(random, 4, 0.2, 0.6), 1);
    const bool inside = result.ci90->low > -1 && result.ci90->high < 1;
    ASSERT_EQ(result.p < 0.05, inside);
    passed += inside ? 1 : 0;
  }
  EXPECT_GT(passed, 200);
  EXPECT_LT(passed, 1800);
}

TEST(StatisticsTost, Edges) {
  EXPECT_TRUE(std::isnan(tost(std::vector<double>{0.1}, 1).p));
  EXPECT_TRUE(std::isnan(tost(std::vector<double>{0.1, std::nan("")}, 1).p));
  EXPECT_EQ(tost(std::vector<double>{0.5, 0.5}, 1).p, 0);
  EXPECT_EQ(tost(std::vector<double>{1, 1}, 1).p, 1);
  EXPECT_THROW(tost(std::vector<double>{0, 1}, 0), InternalError);
}

TEST(StatisticsTost, SizeAtTheMargin) {
  for (double ratio : {1, 4, 16})
    for (int64_t n : {3, 5, 10})
      for (double edge : {-1, 1}) {
        const double margin = 2.5 * std::sqrt(1 + ratio - 1.2 * std::sqrt(ratio));  // 2.5 sd of the difference
        const double size = simulated_share(static_cast<uint64_t>(400 + n), [&](Random& random) {
          const Arms arms = simulate_arms(random, n, edge * margin, ratio);
          return tost(differences(arms.treatment, arms.control), margin).p <= 0.05;
        });
        EXPECT_LE(size, 0.05 + monte_carlo_error(0.05)) << "n = " << n << ", variance ratio " << ratio;
        EXPECT_GE(size, 0.04) << "n = " << n;  // and is not merely conservative
      }
}

TEST(StatisticsTost, PowerAtAMarginOfTwoSd) {
  // docs/science.md section 6: 0.56 at n = 3 and 0.95 at n = 5 for a true gap of 0.
  const auto power = [](int64_t n) {
    return simulated_share(static_cast<uint64_t>(500 + n),
                           [&](Random& random) { return tost(simulate_differences(random, n, 0, 1), 2).p <= 0.05; });
  };
  EXPECT_NEAR(power(3), 0.56, 0.005 + monte_carlo_error(0.56));
  EXPECT_NEAR(power(5), 0.95, 0.005 + monte_carlo_error(0.95));
}

}  // namespace
}  // namespace absorb
