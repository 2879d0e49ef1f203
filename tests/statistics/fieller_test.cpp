#include "statistics/fieller.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/error.h"
#include "statistics/paired.h"
#include "statistics/student.h"
#include "tests/statistics/simulate.h"

namespace absorb {
namespace {

TEST(StatisticsFieller, EfronAndTibshiraniPatchData) {
  // Efron and Tibshirani (1993), An Introduction to the Bootstrap, table 10.1 (data set `patch` of R's package
  // bootstrap): z = old patch - placebo, y = new patch - old patch, 8 subjects; theta = mean(y) / mean(z) = -0.0713.
  // Chapter 25 gives Fieller's central 90 % interval as -0.249 to 0.170.
  const std::vector<double> z{8406, 2342, 8187, 8459, 4795, 3516, 4796, 10238};
  const std::vector<double> y{-1200, 2601, -2705, 1982, -1290, 351, -638, -2719};
  EXPECT_NEAR(summarize(y).mean / summarize(z).mean, -0.0713, 5e-5);
  const auto interval = fieller(y, z, 0.90);
  ASSERT_TRUE(interval);
  EXPECT_NEAR(interval->low, -0.249, 5e-4);
  EXPECT_NEAR(interval->high, 0.170, 5e-4);
}

TEST(StatisticsFieller, DcstatsWorkedExample) {
  // DCSTATS (after D. Colquhoun), notebook "fieller": a = 14 with sd 3, b = 7 with sd 2, no correlation, t = 1.812461
  // (10 degrees of freedom): limits 1.051413 and 4.414296.
  const auto interval = fieller(RatioMoments{14, 7, 9, 4, 0}, t_quantile(0.95, 10));
  ASSERT_TRUE(interval);
  EXPECT_NEAR(interval->low, 1.051413, 5e-7);
  EXPECT_NEAR(interval->high, 4.414296, 5e-7);
}

TEST(StatisticsFieller, EndsAreWhereTheTTestJustPasses) {
  const std::vector<double> numerator{0.9, 1.4, 1.1, 0.7, 1.3}, denominator{2.1, 2.4, 1.9, 1.8, 2.6};
  const auto interval = fieller(numerator, denominator);
  ASSERT_TRUE(interval);
  for (double end : {interval->low, interval->high}) {
    std::vector<double> difference;
    for (size_t i = 0; i < 5; ++i) difference.push_back(numerator[i] - end * denominator[i]);
    EXPECT_NEAR(paired(difference).p_t, 0.05, 1e-9);
  }
}

TEST(StatisticsFieller, UnboundedIsAbsent) {
  const std::vector<double> numerator{1, 2, 3}, denominator{0.1, 0.5, -0.2}, broken{1, std::nan(""), 2};
  EXPECT_FALSE(fieller(numerator, denominator));
  EXPECT_FALSE(fieller(numerator, broken));
  EXPECT_FALSE(fieller(broken, numerator));
  EXPECT_FALSE(fieller(std::vector<double>{1}, std::vector<double>{2}));
  EXPECT_THROW(fieller(numerator, std::vector<double>{1, 2}), InternalError);
}

TEST(StatisticsFieller, BoundedExactlyWhenTheDenominatorIsAwayFromZero) {
  Random random(21);
  int bounded = 0;
  for (int study = 0; study < 2000; ++study) {
    const auto numerator = simulate_differences(random, 4, 1, 0.5),
               denominator = simulate_differences(random, 4, 1, 0.6);
    const auto interval = fieller(numerator, denominator);
    ASSERT_EQ(interval.has_value(), !t_interval(denominator)->contains(0));
    bounded += interval ? 1 : 0;
  }
  EXPECT_GT(bounded, 200);
  EXPECT_LT(bounded, 1800);
}

// Numerator and denominator of one seed share part of their noise, as a gap and a swap cost do.
struct Pair {
  std::vector<double> numerator, denominator;
};

Pair simulate_pair(Random& random, int64_t n, double numerator, double sd, double variance_ratio = 1) {
  const Arms arms = simulate_arms(random, n, 0, variance_ratio);
  Pair pair{arms.treatment, arms.control};
  for (size_t i = 0; i < pair.numerator.size(); ++i) {
    pair.numerator[i] = numerator + sd * pair.numerator[i];
    pair.denominator[i] = 1 + sd * pair.denominator[i];
  }
  return pair;
}

TEST(StatisticsFieller, CoverageWhereBounded) {
  for (double ratio : {1, 4, 16})
    for (int64_t n : {3, 5, 10}) {
      int bounded = 0;
      const double covered = simulated_share(static_cast<uint64_t>(700 + n), [&](Random& random) {
        const Pair pair = simulate_pair(random, n, 0.4, 0.05, ratio);
        const auto interval = fieller(pair.numerator, pair.denominator);
        bounded += interval ? 1 : 0;
        return interval && interval->contains(0.4);
      });
      EXPECT_GE(bounded, simulated_studies - 2);
      EXPECT_GE(covered, 0.94) << "n = " << n << ", variance ratio " << ratio;
      EXPECT_LE(covered, 0.96) << "n = " << n << ", variance ratio " << ratio;
    }
}

TEST(StatisticsFraction, AbsorbedFraction) {
  const std::vector<double> gap{0.1, 0.12, 0.08}, cost{0.5, 0.52, 0.48};
  const Ratio ratio = absorbed_fraction(gap, cost);
  EXPECT_TRUE(ratio.why_undefined.empty());
  EXPECT_NEAR(ratio.value, 0.8, 1e-12);
  ASSERT_TRUE(ratio.ci);
  const auto share = fieller(gap, cost);
  EXPECT_DOUBLE_EQ(ratio.ci->low, 1 - share->high);
  EXPECT_DOUBLE_EQ(ratio.ci->high, 1 - share->low);
  EXPECT_LT(ratio.ci->low, 0.8);
  EXPECT_GT(ratio.ci->high, 0.8);
}

TEST(StatisticsFraction, UndefinedWithinTheNoiseOfTheSwapCost) {
  const std::vector<double> gap{0.1, 0.12, 0.08}, noise{0.02, -0.01, 0.03}, below{-0.5, -0.52, -0.48};
  for (const auto& cost : {noise, below}) {
    const Ratio ratio = absorbed_fraction(gap, cost);
    EXPECT_TRUE(std::isnan(ratio.value));
    EXPECT_FALSE(ratio.ci);
    EXPECT_NE(ratio.why_undefined.find("within its noise"), std::string::npos);
    EXPECT_TRUE(absorbed_fraction_by_seed(gap, cost).empty());
  }
  EXPECT_NE(absorbed_fraction(std::vector<double>{1}, std::vector<double>{1}).why_undefined, "");
  EXPECT_NE(absorbed_fraction(std::vector<double>{1, std::nan("")}, std::vector<double>{1, 1}).why_undefined, "");
}

TEST(StatisticsFraction, BySeedAveragesToTheFraction) {
  const std::vector<double> gap{0.1, 0.2, 0.08}, cost{0.5, 0.7, 0.48};
  const auto by_seed = absorbed_fraction_by_seed(gap, cost);
  ASSERT_EQ(by_seed.size(), 3U);
  EXPECT_NEAR(summarize(by_seed).mean, absorbed_fraction(gap, cost).value, 1e-12);
  EXPECT_NEAR(by_seed[0], 1 - 0.38 / 1.68 - (0.1 - 0.38 / 1.68 * 0.5) / 0.56, 1e-12);
}

TEST(StatisticsFraction, CoverageOfADifferenceBetweenTargets) {
  for (int64_t n : {3, 5, 10}) {
    const double covered = simulated_share(static_cast<uint64_t>(800 + n), [&](Random& random) {
      const Pair attention = simulate_pair(random, n, 0.3, 0.05), moe = simulate_pair(random, n, 0.6, 0.08);
      const auto a = absorbed_fraction_by_seed(attention.numerator, attention.denominator);
      const auto m = absorbed_fraction_by_seed(moe.numerator, moe.denominator);
      return !a.empty() && !m.empty() && t_interval(differences(a, m))->contains(0.3);
    });
    EXPECT_GE(covered, 0.94) << "n = " << n;
    EXPECT_LE(covered, 0.96) << "n = " << n;
  }
}

TEST(StatisticsShare, IsStableOverTheSumAndUndefinedWithinNoise) {
  const std::vector<double> stable{0.1, 0.2, 0.3}, content{0.3, 0.5, 0.4}, nothing{0.1, -0.1, 0.05};
  const Ratio share = absorbed_share(stable, content);
  EXPECT_DOUBLE_EQ(share.value, 0.2 / 0.6);
  ASSERT_TRUE(share.ci);
  const std::vector<double> by_seed = absorbed_share_by_seed(stable, content);
  EXPECT_NEAR(summarize(by_seed).mean, share.value, 1e-15);
  const Ratio none = absorbed_share(nothing, nothing);
  EXPECT_NE(none.why_undefined.find("what routing is worth to training is within its noise"), std::string::npos);
  EXPECT_TRUE(std::isnan(none.value));
  EXPECT_TRUE(absorbed_share_by_seed(nothing, nothing).empty());
}

// 10,000 studies each; the interval covers the true share in 95 % of those in which it is given.
TEST(StatisticsShare, FiellersIntervalCovers) {
  for (const int64_t n : {3, 5, 10})
    for (const double truth : {0.03, 0.5, 0.95}) {
      int64_t given = 0, covered = 0;
      Random random(stream_key(static_cast<uint64_t>(n), fmt::format("share {}", truth)));
      for (int study = 0; study < simulated_studies; ++study) {
        const Parts parts = simulate_parts(random, n, truth, 1 - truth, 0.05);
        const Ratio share = absorbed_share(parts.stable, parts.content);
        if (!share.ci) continue;
        ++given;
        covered += share.ci->contains(truth) ? 1 : 0;
      }
      EXPECT_GT(given, simulated_studies * 9 / 10);
      EXPECT_NEAR(static_cast<double>(covered) / static_cast<double>(given), 0.95, monte_carlo_error(0.95))
          << n << ' ' << truth;
    }
}

// Equal shares in both targets, from very different sums: the t test on the delta method's numbers rejects in 5 %.
TEST(StatisticsShare, TestOfEqualSharesHasItsSize) {
  for (const int64_t n : {3, 5, 10}) {
    const double rejected = simulated_share(static_cast<uint64_t>(40 + n), [n](Random& random) {
      const Parts a = simulate_parts(random, n, 0.06, 0.04, 0.004), b = simulate_parts(random, n, 0.6, 0.4, 0.03);
      const auto one = absorbed_share_by_seed(a.stable, a.content), other = absorbed_share_by_seed(b.stable, b.content);
      return !one.empty() && !other.empty() && paired(differences(one, other)).p_t < 0.05;
    });
    // The delta method is of first order: a tenth above the nominal size is allowed besides the Monte-Carlo error.
    EXPECT_NEAR(rejected, 0.05, 0.005 + monte_carlo_error(0.05)) << n;
  }
}

}  // namespace
}  // namespace absorb
