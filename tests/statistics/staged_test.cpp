#include "statistics/staged.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <vector>

#include "core/error.h"
#include "statistics/equivalence.h"
#include "statistics/paired.h"
#include "statistics/power.h"
#include "statistics/student.h"
#include "tests/statistics/simulate.h"

namespace absorb {
namespace {

double t_p(const Summary& seen) {
  return t_two_sided(seen.mean / seen.sd * std::sqrt(static_cast<double>(seen.n)), static_cast<double>(seen.n - 1));
}

/// The n at which a study of normal differences stops, sd 1; 0 where no look passes.
template <class Test>
int64_t stops_at(Random& random, const std::vector<Look>& plan, double mean, Test passes) {
  const std::vector<double> all = simulate_differences(random, plan.back().n, mean, 1);
  for (const Look& look : plan)
    if (passes(summarize(std::span(all).first(static_cast<size_t>(look.n))), look)) return look.n;
  return 0;
}

template <class Test>
double share_that_stops(uint64_t seed, const StagedPlan& plan, double mean, Test passes) {
  const std::vector<Look> all = looks(plan);
  return simulated_share(seed, [&](Random& random) { return stops_at(random, all, mean, passes) > 0; });
}

const std::vector<StagedPlan> plans{{3, 5}, {3, 10}, {5, 10}, {5, 20}};

TEST(StatisticsStaged, WhatIsSpentAddsUpToAlpha) {
  for (const StagedPlan& plan : plans) {
    const std::vector<Look> all = looks(plan);
    ASSERT_EQ(all.size(), static_cast<size_t>(plan.n_most - plan.n_least + 1));
    double before = 0;
    for (const Look& look : all) {
      EXPECT_NEAR(look.spent, 0.05 * std::pow(static_cast<double>(look.n) / static_cast<double>(plan.n_most), 6),
                  1e-15);
      // Never less than what this look adds (looks that exclude each other), never more than all so far (looks that
      // hold each other).
      for (const double level : {look.t_level, look.tost_level}) {
        EXPECT_GE(level, look.spent - before - 1e-12) << look.n;
        EXPECT_LE(level, look.spent + 1e-12) << look.n;
      }
      EXPECT_EQ(look.last, look.n == plan.n_most);
      before = look.spent;
    }
    EXPECT_DOUBLE_EQ(all.back().spent, 0.05);
    EXPECT_DOUBLE_EQ(all.front().t_level, all.front().spent);
  }
}

TEST(StatisticsStaged, OneLookIsTheFixedDesign) {
  for (const int64_t n : {3, 5, 10}) {
    const std::vector<Look> only = looks({n, n});
    ASSERT_EQ(only.size(), 1U);
    EXPECT_DOUBLE_EQ(only[0].t_level, 0.05);
    EXPECT_DOUBLE_EQ(only[0].tost_level, 0.05);
    EXPECT_TRUE(only[0].last);
  }
}

// 400,000 studies by other means (std::mt19937_64, levels by sorting), each to 0.0004.
TEST(StatisticsStaged, LastLevelsAgreeWithPlainSimulation) {
  const Look few = looks({3, 5}).back(), more = looks({5, 10}).back(), most = looks({5, 20}).back();
  EXPECT_NEAR(few.t_level, 0.0437, 0.0012);
  EXPECT_NEAR(more.t_level, 0.0411, 0.0012);
  EXPECT_NEAR(most.t_level, 0.0402, 0.0012);
  EXPECT_NEAR(few.tost_level, 0.0445, 0.0012);
  EXPECT_NEAR(more.tost_level, 0.0431, 0.0012);
  EXPECT_NEAR(most.tost_level, 0.0420, 0.0012);
}

TEST(StatisticsStaged, AllLooksOfTheTTestTogetherHaveItsSize) {
  for (const StagedPlan& plan : plans) {
    const double size =
        share_that_stops(static_cast<uint64_t>(1000 + plan.n_most), plan, 0,
                         [](const Summary& seen, const Look& look) { return t_p(seen) <= look.t_level; });
    std::printf("t test, looks at %ld to %ld: size %.4f\n", plan.n_least, plan.n_most, size);
    EXPECT_NEAR(size, 0.05, monte_carlo_error(0.05)) << plan.n_least << " to " << plan.n_most;
    // At 5 % each, looks at every n find what isn't there far more often.
    const double naive = share_that_stops(static_cast<uint64_t>(1000 + plan.n_most), plan, 0,
                                          [](const Summary& seen, const Look&) { return t_p(seen) <= 0.05; });
    std::printf("  at 5 %% each: %.4f\n", naive);
    EXPECT_GT(naive, 0.08);
  }
}

// With the other margin out of reach it is one t test, so that its size is met and not merely kept.
TEST(StatisticsStaged, AllLooksOfTheTostTogetherHaveItsSizeAtTheMargin) {
  constexpr double margin = 3;  // sd
  for (const StagedPlan& plan : plans) {
    const double size =
        share_that_stops(static_cast<uint64_t>(1100 + plan.n_most), plan, margin,
                         [](const Summary& seen, const Look& look) { return tost(seen, margin).p <= look.tost_level; });
    std::printf("TOST, looks at %ld to %ld: size %.4f\n", plan.n_least, plan.n_most, size);
    EXPECT_NEAR(size, 0.05, monte_carlo_error(0.05)) << plan.n_least << " to " << plan.n_most;
  }
}

// What looking costs and saves, at a gap that the fixed design of n_most seeds finds in 80 %, and at twice that.
TEST(StatisticsStaged, CostsNoMoreThanThreePointsOfPower) {
  for (const StagedPlan& plan : plans) {
    const std::vector<Look> all = looks(plan);
    for (const double times : {1.0, 2.0}) {
      const double gap = times * smallest_found(1, plan.n_most), fixed = t_power({1, gap}, plan.n_most);
      double seeds = 0;
      const double found = simulated_share(static_cast<uint64_t>(1200 + plan.n_most), [&](Random& random) {
        const int64_t n =
            stops_at(random, all, gap, [](const Summary& seen, const Look& look) { return t_p(seen) <= look.t_level; });
        seeds += static_cast<double>(n > 0 ? n : plan.n_most) / simulated_studies;
        return n > 0;
      });
      std::printf("looks at %ld to %ld, gap %.2f sd: power %.3f, fixed %.3f; %.2f seeds of %ld\n", plan.n_least,
                  plan.n_most, gap, found, fixed, seeds, plan.n_most);
      EXPECT_GE(found, fixed - 0.03 - monte_carlo_error(0.8) / 4) << plan.n_least << " to " << plan.n_most;
      EXPECT_LE(found, fixed + monte_carlo_error(0.8));
      EXPECT_LT(seeds, (times > 1 ? 0.85 : 0.96) * static_cast<double>(plan.n_most));
    }
  }
}

// Of the TOST's a little more: early looks have so small a level that no few seeds fit between both margins.
TEST(StatisticsStaged, CostsNoMoreThanFourPointsOfTheTostsPower) {
  for (const StagedPlan& plan : {StagedPlan{3, 5}, StagedPlan{5, 10}}) {
    double margin = 0.5;  // sd; where a true tie is found in 80 % by n_most seeds at once
    while (tost_power({1, margin}, plan.n_most) < 0.8) margin += 0.001;
    const double found = share_that_stops(
        static_cast<uint64_t>(1250 + plan.n_most), plan, 0,
        [&](const Summary& seen, const Look& look) { return tost(seen, margin).p <= look.tost_level; });
    std::printf("TOST, looks at %ld to %ld, margin %.2f sd: power %.3f, fixed 0.800\n", plan.n_least, plan.n_most,
                margin, found);
    EXPECT_GE(found, 0.76 - monte_carlo_error(0.8) / 4) << plan.n_least << " to " << plan.n_most;
  }
}

TEST(StatisticsStaged, StagedPIsTheAlphaThatJustPasses) {
  for (const StagedPlan& plan : {StagedPlan{3, 5}, StagedPlan{5, 10}})
    for (const double alpha : {0.001, 0.05 / 3, 0.05, 0.2})
      for (const Look& look : looks({plan.n_least, plan.n_most, alpha})) {
        EXPECT_NEAR(staged_p(look.t_level, StagedTest::t, plan, look.n) / alpha, 1, 1e-6) << look.n;
        EXPECT_NEAR(staged_p(look.tost_level, StagedTest::tost, plan, look.n) / alpha, 1, 1e-6) << look.n;
      }
  const StagedPlan plan{5, 10};
  EXPECT_EQ(staged_p(0.2, StagedTest::t, plan, 5), 1);  // 1/64 of alpha is spent there
  EXPECT_EQ(staged_p(1e-9, StagedTest::t, plan, 4), 1);
  EXPECT_EQ(staged_p(1, StagedTest::t, plan, 10), 1);
  EXPECT_EQ(staged_p(0, StagedTest::tost, plan, 7), 0);
  EXPECT_LT(staged_p(1e-30, StagedTest::t, plan, 7), 1e-28);
  EXPECT_TRUE(std::isnan(staged_p(std::nan(""), StagedTest::t, plan, 7)));
  EXPECT_DOUBLE_EQ(staged_p(0.03, StagedTest::t, {8, 8}, 8), 0.03);
}

// Three true null hypotheses, each look a step of Holm: some staged p <= alpha / 3 just where its p <= the level of a
// plan of alpha / 3. Stops at the first.
TEST(StatisticsStaged, HolmOverStagedPKeepsTheFamilysError) {
  const std::vector<Look> third = looks({3, 10, 0.05 / 3});
  const double error = simulated_share(1300, [&](Random& random) {
    bool any = false;
    for (int contrast = 0; contrast < 3; ++contrast)
      any |= stops_at(random, third, 0,
                      [](const Summary& seen, const Look& look) { return t_p(seen) <= look.t_level; }) > 0;
    return any;
  });
  EXPECT_NEAR(error, 1 - std::pow(1 - 0.05 / 3, 3), monte_carlo_error(0.05));
  // Dividing the levels themselves by 3 would not do: they fall faster than alpha.
  EXPECT_LT(third.back().t_level, looks({3, 10}).back().t_level / 3);
}

TEST(StatisticsStaged, OneLookOfAPlan) {
  const std::vector<Look> all = looks({5, 8});
  for (const Look& look : all) {
    const Look one = look_at(look.n, 5, 8);
    EXPECT_EQ(one.n, look.n);
    EXPECT_DOUBLE_EQ(one.t_level, look.t_level);
    EXPECT_DOUBLE_EQ(one.tost_level, look.tost_level);
    EXPECT_DOUBLE_EQ(one.spent, look.spent);
    EXPECT_EQ(one.last, look.last);
  }
  EXPECT_EQ(look_at(4, 5, 8).t_level, 0);
  EXPECT_FALSE(look_at(4, 5, 8).last);
  EXPECT_THROW(look_at(9, 5, 8), InternalError);
  EXPECT_THROW(looks({2, 8}), InternalError);
  EXPECT_THROW(looks({9, 8}), InternalError);
  EXPECT_THROW(looks({5, 8, 0.5}), InternalError);
  EXPECT_THROW(staged_p(0.01, StagedTest::t, {5, 8}, 9), InternalError);
}

}  // namespace
}  // namespace absorb
