#include "statistics/paired.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/statistics/simulate.h"

namespace absorb {
namespace {

// Student (1908), The probable error of a mean, from Cushny and Peebles (1905): additional hours of sleep, second drug
// minus first; the data set `sleep` of R.
const std::vector<double> sleep{1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4};

TEST(StatisticsPaired, StudentsSleepData) {
  // R: t.test(extra ~ group, sleep, paired = TRUE): t = -4.0621, df = 9, p-value = 0.002833, mean of the differences
  // -1.58, 95 percent confidence interval -2.4598858 -0.7001142 (first drug minus second).
  const Paired result = paired(sleep);
  EXPECT_EQ(result.n, 10);
  EXPECT_NEAR(result.mean, 1.58, 1e-12);
  EXPECT_NEAR(result.mean / (result.sd / std::sqrt(10.0)), 4.0621, 5e-5);
  EXPECT_NEAR(result.p_t, 0.002833, 5e-7);
  ASSERT_TRUE(result.ci95);
  EXPECT_NEAR(result.ci95->low, 0.7001142, 5e-8);
  EXPECT_NEAR(result.ci95->high, 2.4598858, 5e-8);
  // One difference is 0 and the others are positive: the two patterns of equal signs, each with either sign of the 0.
  EXPECT_DOUBLE_EQ(result.p_sign_flip, 4.0 / 1024);
  EXPECT_DOUBLE_EQ(result.smallest_p, 2.0 / 1024);
}

TEST(StatisticsPaired, FishersDarwinMaize) {
  // Fisher (1935), The Design of Experiments, section 21: Darwin's 15 pairs of cross- and self-fertilised maize,
  // eighths of an inch. t = 2.148; 863 of the 32,768 sign patterns reach a total of 314, 1726 in both directions: 5.267
  // %.
  const std::vector<double> maize{49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};
  const Paired result = paired(maize);
  EXPECT_NEAR(result.mean * 15, 314, 1e-9);
  EXPECT_NEAR(result.mean / (result.sd / std::sqrt(15.0)), 2.148, 5e-4);
  EXPECT_DOUBLE_EQ(result.p_sign_flip, 1726.0 / 32768);
}

TEST(StatisticsPaired, SmallestPOfSignFlips) {
  EXPECT_DOUBLE_EQ(smallest_sign_flip_p(3), 0.25);
  EXPECT_DOUBLE_EQ(smallest_sign_flip_p(5), 0.0625);
  EXPECT_DOUBLE_EQ(smallest_sign_flip_p(6), 0.03125);
  EXPECT_DOUBLE_EQ(smallest_sign_flip_p(40), 1e-5);
  EXPECT_TRUE(std::isnan(smallest_sign_flip_p(0)));
  for (int64_t n : {1, 3, 5, 12, 20}) {
    std::vector<double> values(static_cast<size_t>(n));
    for (size_t i = 0; i < values.size(); ++i) values[i] = 0.1 + 0.01 * static_cast<double>(i);
    EXPECT_DOUBLE_EQ(sign_flip_p(values), smallest_sign_flip_p(n)) << "n = " << n;
  }
}

TEST(StatisticsPaired, SignFlipCountsTies) {
  const std::vector<double> tied{0.1, 0.2, 0.3, -0.3};  // patterns whose |sum| reaches 0.3, by hand: 12 of 16
  EXPECT_DOUBLE_EQ(sign_flip_p(tied), 12.0 / 16);
  const std::vector<double> zero{0, 0, 0};
  EXPECT_DOUBLE_EQ(sign_flip_p(zero), 1);
}

TEST(StatisticsPaired, MonteCarloSignFlipAgreesWithTheExactOne) {
  Random random(7);
  // One more difference that is 0 leaves the exact p as it is and moves n over the limit.
  std::vector<double> values = simulate_differences(random, exact_sign_flip_n, 0.4, 1);
  const double exact = sign_flip_p(values);
  values.push_back(0);
  const double drawn = sign_flip_p(values);
  EXPECT_NE(drawn, exact);
  EXPECT_NEAR(drawn, exact, monte_carlo_error(exact, sign_flip_draws));
  EXPECT_EQ(sign_flip_p(values), drawn);
  std::vector<double> late(40);  // only the last eight differ from 0, beyond the first 32 random bits
  for (size_t i = 32; i < late.size(); ++i) late[i] = values[i - 32];
  const double of_eight = sign_flip_p(std::vector<double>(values.begin(), values.begin() + 8));
  EXPECT_NEAR(sign_flip_p(late), of_eight, monte_carlo_error(of_eight, sign_flip_draws));
  const std::vector<double> all_positive(40, 1.0);
  EXPECT_DOUBLE_EQ(sign_flip_p(all_positive), smallest_sign_flip_p(40));
}

TEST(StatisticsPaired, EdgesGiveNoNumbers) {
  const Paired none = paired({});
  EXPECT_TRUE(std::isnan(none.mean) && std::isnan(none.p_t) && std::isnan(none.p_sign_flip));
  const Paired one = paired(std::vector<double>{0.5});
  EXPECT_FALSE(one.ci95);
  EXPECT_TRUE(std::isnan(one.sd) && std::isnan(one.p_t));
  const Paired broken = paired(std::vector<double>{0.5, std::nan(""), 1});
  EXPECT_FALSE(broken.ci95);
  EXPECT_TRUE(std::isnan(broken.p_t) && std::isnan(broken.p_sign_flip));
}

TEST(StatisticsPaired, DifferencesWithoutSpread) {
  EXPECT_EQ(paired(std::vector<double>{0, 0, 0}).p_t, 1);
  EXPECT_EQ(paired(std::vector<double>{0.5, 0.5, 0.5}).p_t, 0);
}

TEST(StatisticsPaired, SizeOfTheTTest) {
  for (double ratio : {1, 4, 16})
    for (int64_t n : {3, 5, 10}) {
      const double size = simulated_share(static_cast<uint64_t>(200 + n), [&](Random& random) {
        const Arms arms = simulate_arms(random, n, 0, ratio);
        return paired(differences(arms.treatment, arms.control)).p_t <= 0.05;
      });
      EXPECT_NEAR(size, 0.05, monte_carlo_error(0.05)) << "n = " << n << ", variance ratio " << ratio;
    }
}

TEST(StatisticsPaired, CoverageOfTheTInterval) {
  for (double ratio : {1, 4, 16})
    for (int64_t n : {3, 5, 10}) {
      const double covered = simulated_share(static_cast<uint64_t>(250 + n), [&](Random& random) {
        const Arms arms = simulate_arms(random, n, 0.3, ratio);
        return t_interval(differences(arms.treatment, arms.control))->contains(0.3);
      });
      EXPECT_NEAR(covered, 0.95, monte_carlo_error(0.95)) << "n = " << n << ", variance ratio " << ratio;
    }
}

TEST(StatisticsPaired, SizeOfTheSignFlip) {
  for (double ratio : {1, 4, 16})
    for (int64_t n : {3, 5, 6, 10}) {
      const double size = simulated_share(static_cast<uint64_t>(300 + n), [&](Random& random) {
        const Arms arms = simulate_arms(random, n, 0, ratio);
        return sign_flip_p(differences(arms.treatment, arms.control)) <= 0.05;
      });
      const double patterns = std::ldexp(1.0, static_cast<int>(n) - 1),
                   expected = std::floor(0.05 * patterns) / patterns;
      EXPECT_NEAR(size, expected, monte_carlo_error(expected)) << "n = " << n << ", variance ratio " << ratio;
      EXPECT_EQ(size == 0, smallest_sign_flip_p(n) > 0.05) << n;  // n = 3, 5: never, whatever the data
    }
}

}  // namespace
}  // namespace absorb
