#include "statistics/counting/permutation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/statistics/simulate.h"

namespace absorb {
namespace {

using Values = std::vector<double>;

/// Every subset of the pooled values as a bit pattern.
double brute_force_p(const Values& a, const Values& b) {
  Values all(a);
  all.insert(all.end(), b.begin(), b.end());
  const auto difference = [&](uint32_t pattern) {
    double inside = 0, outside = 0;
    for (size_t i = 0; i < all.size(); ++i) ((pattern >> i & 1) != 0 ? inside : outside) += all[i];
    return std::abs(inside / static_cast<double>(a.size()) - outside / static_cast<double>(b.size()));
  };
  const double observed = difference((1U << a.size()) - 1);
  int reaching = 0, splits = 0;
  for (uint32_t pattern = 0; pattern < 1U << all.size(); ++pattern) {
    if (static_cast<size_t>(__builtin_popcount(pattern)) != a.size()) continue;
    ++splits;
    reaching += difference(pattern) >= observed - 1e-9 ? 1 : 0;
  }
  return static_cast<double>(reaching) / splits;
}

TEST(StatisticsPermutation, EqualsCountingAllSplits) {
  Random random(11);
  for (int draw = 0; draw < 100; ++draw) {
    Values a(1 + random.below(5)), b(1 + random.below(5));
    for (double& value : a) value = draw % 2 == 0 ? random.gauss() : static_cast<double>(random.below(3));
    for (double& value : b) value = draw % 2 == 0 ? 1 + random.gauss() : static_cast<double>(random.below(3));
    EXPECT_DOUBLE_EQ(two_sample_p(a, b), brute_force_p(a, b));
    EXPECT_DOUBLE_EQ(two_sample_p(b, a), two_sample_p(a, b));
  }
}

TEST(StatisticsPermutation, SmallestPIsReached) {
  EXPECT_DOUBLE_EQ(two_sample_p(Values{1, 2, 3}, Values{4, 5, 6}), 0.1);
  EXPECT_DOUBLE_EQ(smallest_two_sample_p(3, 3), 0.1);
  EXPECT_DOUBLE_EQ(two_sample_p(Values{1, 2}, Values{4, 5, 6}), 0.1);
  EXPECT_DOUBLE_EQ(smallest_two_sample_p(2, 3), 0.1);
  EXPECT_DOUBLE_EQ(smallest_two_sample_p(30, 30), 1e-5);
  EXPECT_TRUE(std::isnan(smallest_two_sample_p(0, 3)));
}

TEST(StatisticsPermutation, WhatHasNoPIsNan) {
  EXPECT_TRUE(std::isnan(two_sample_p(Values{}, Values{1, 2})));
  EXPECT_TRUE(std::isnan(two_sample_p(Values{1, std::nan("")}, Values{1, 2})));
}

TEST(StatisticsPermutation, RandomSplitsAreRepeatableAndFindAShift) {
  Random random(5);
  const Values a = simulate_differences(random, 30, 0, 1), b = simulate_differences(random, 30, 0, 1),
               c = simulate_differences(random, 30, 2, 1);
  EXPECT_EQ(two_sample_p(a, b), two_sample_p(a, b));
  EXPECT_GT(two_sample_p(a, b), 0.01);
  EXPECT_LT(two_sample_p(a, c), 1e-4);
}

TEST(StatisticsPermutation, SizeIsItsLevel) {
  const auto rejects = [](Random& random) {
    return two_sample_p(simulate_differences(random, 4, 0, 1), simulate_differences(random, 4, 0, 1)) <= 0.05 + 1e-9;
  };
  // 70 splits in 35 mirrored pairs: p takes the values 1/35, 2/35, ..., and only the first is below 0.05.
  EXPECT_NEAR(simulated_share(31, rejects), 1.0 / 35, monte_carlo_error(1.0 / 35));
}

}  // namespace
}  // namespace absorb
