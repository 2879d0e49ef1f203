#include "statistics/holm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "statistics/paired.h"
#include "tests/statistics/simulate.h"

namespace absorb {
namespace {

void expect_near(const std::vector<double>& actual, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], tolerance) << "element " << i;
}

TEST(StatisticsHolm, StdlibWorkedExample) {
  // stdlib.io, documentation of @stdlib/stats/padjust: padjust([0.319, 0.201, 0.4, 0.374, 0.113], 'holm') gives
  // [~0.957, 0.804, ..., ~0.957, ~0.565]. The third, not printed there, is the last step: max(0.957, 1 * 0.4).
  expect_near(holm(std::vector<double>{0.319, 0.201, 0.4, 0.374, 0.113}), {0.957, 0.804, 0.957, 0.957, 0.565}, 1e-12);
}

TEST(StatisticsHolm, WikipediaWorkedExample) {
  // Wikipedia, Holm-Bonferroni method, "Example": p = 0.01, 0.04, 0.03, 0.005 at 0.05: H4 and H1 are rejected, then the
  // procedure stops at H3 (0.03 > 0.025), and H2 is kept although 0.04 < 0.05.
  const std::vector<double> adjusted = holm(std::vector<double>{0.01, 0.04, 0.03, 0.005});
  expect_near(adjusted, {0.03, 0.06, 0.06, 0.02}, 1e-12);
  EXPECT_TRUE(adjusted[0] <= 0.05 && adjusted[3] <= 0.05 && adjusted[1] > 0.05 && adjusted[2] > 0.05);
}

TEST(StatisticsHolm, Edges) {
  EXPECT_TRUE(holm({}).empty());
  expect_near(holm(std::vector<double>{0.2}), {0.2}, 0);
  expect_near(holm(std::vector<double>{0.9, 0.8}), {1, 1}, 0);
  expect_near(holm(std::vector<double>{0.02, 0.02}), {0.04, 0.04}, 0);
}

TEST(StatisticsHolm, AMissingPStillCounts) {
  const std::vector<double> adjusted = holm(std::vector<double>{0.01, std::nan(""), 0.02});
  EXPECT_DOUBLE_EQ(adjusted[0], 0.03);
  EXPECT_TRUE(std::isnan(adjusted[1]));
  EXPECT_DOUBLE_EQ(adjusted[2], 0.04);
}

TEST(StatisticsHolm, FamilywiseErrorOverThreeContrasts) {
  const double error = simulated_share(601, [](Random& random) {
    std::vector<double> p(3);
    for (double& each : p) each = paired(simulate_differences(random, 5, 0, 1)).p_t;
    const std::vector<double> adjusted = holm(p);
    return adjusted[0] <= 0.05 || adjusted[1] <= 0.05 || adjusted[2] <= 0.05;
  });
  EXPECT_NEAR(error, 1 - std::pow(1 - 0.05 / 3, 3), monte_carlo_error(0.05));
}

}  // namespace
}  // namespace absorb
