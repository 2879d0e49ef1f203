#include "statistics/summary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/error.h"
#include "statistics/student.h"
#include "tests/statistics/simulate.h"

namespace absorb {
namespace {

TEST(StatisticsStudent, TableOfQuantiles) {
  // Two-sided 5 % and one-sided 5 % points as printed in tables of Student's t.
  EXPECT_NEAR(t_quantile(0.975, 2), 4.303, 5e-4);
  EXPECT_NEAR(t_quantile(0.975, 4), 2.776, 5e-4);
  EXPECT_NEAR(t_quantile(0.95, 7), 1.895, 5e-4);
  EXPECT_NEAR(t_upper_tail(2.776445, 4), 0.025, 1e-7);
  EXPECT_NEAR(t_two_sided(-2.776445, 4), 0.05, 1e-7);
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(t_upper_tail(infinity, 2), 0);
  EXPECT_EQ(t_upper_tail(-infinity, 2), 1);
  EXPECT_TRUE(std::isnan(t_two_sided(std::nan(""), 2)));
  EXPECT_THROW(t_quantile(1.0, 2), InternalError);
}

TEST(StatisticsSummary, MeanAndSpread) {
  const std::vector<double> values{2, 4, 4, 4, 5, 5, 7, 9};
  const Summary summary = summarize(values);
  EXPECT_EQ(summary.n, 8);
  EXPECT_DOUBLE_EQ(summary.mean, 5);
  EXPECT_DOUBLE_EQ(summary.sd, std::sqrt(32.0 / 7));
}

TEST(StatisticsSummary, TooFewNumbersGiveNoInterval) {
  EXPECT_TRUE(std::isnan(summarize({}).mean));
  const std::vector<double> one{3};
  EXPECT_EQ(summarize(one).mean, 3);
  EXPECT_TRUE(std::isnan(summarize(one).sd));
  EXPECT_FALSE(t_interval(one));
}

TEST(StatisticsSummary, NaNAndInfinityGiveNoInterval) {
  for (double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    const std::vector<double> values{1, bad, 2};
    EXPECT_FALSE(std::isfinite(summarize(values).sd));
    EXPECT_FALSE(t_interval(values));
  }
}

TEST(StatisticsSummary, EqualValuesGiveAnIntervalOfNoWidth) {
  const std::vector<double> values{0.1, 0.1, 0.1};
  const auto interval = t_interval(values);
  ASSERT_TRUE(interval);
  EXPECT_NEAR(interval->low, 0.1, 1e-15);
  EXPECT_NEAR(interval->high, 0.1, 1e-15);
}

TEST(StatisticsSummary, VarianceRatio) {
  const std::vector<double> wide{0, 2, 4}, narrow{1, 2, 3}, flat{1, 1, 1};
  EXPECT_DOUBLE_EQ(variance_ratio(wide, narrow), 4);
  EXPECT_TRUE(std::isnan(variance_ratio(wide, flat)));
  EXPECT_TRUE(std::isnan(variance_ratio(wide, std::vector<double>{1})));
}

TEST(StatisticsSummary, DifferencesArePairs) {
  const std::vector<double> treatment{1, 5}, control{3, 4}, other{1};
  EXPECT_EQ(differences(treatment, control), (std::vector<double>{-2, 1}));
  EXPECT_THROW(differences(treatment, other), InternalError);
}

TEST(StatisticsSummary, CoverageOf95PercentIntervals) {
  for (int64_t n : {3, 5, 10}) {
    const double coverage = simulated_share(static_cast<uint64_t>(100 + n), [&](Random& random) {
      return t_interval(simulate_differences(random, n, 0.3, 0.7))->contains(0.3);
    });
    EXPECT_GE(coverage, 0.94) << "n = " << n;
    EXPECT_LE(coverage, 0.96) << "n = " << n;
    RecordProperty("coverage_n" + std::to_string(n), std::to_string(coverage));
  }
}

}  // namespace
}  // namespace absorb
