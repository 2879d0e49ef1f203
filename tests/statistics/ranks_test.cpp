#include "statistics/counting/ranks.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"

namespace absorb {
namespace {

using Values = std::vector<double>;

TEST(StatisticsRanks, TiesShareTheMeanOfTheirPlaces) {
  EXPECT_EQ(ranks(Values{3, 1, 2}), (Values{3, 1, 2}));
  EXPECT_EQ(ranks(Values{5, 1, 5, 0, 5}), (Values{4, 2, 4, 1, 4}));
  EXPECT_TRUE(ranks(Values{}).empty());
  EXPECT_THROW(ranks(Values{1, std::nan("")}), InternalError);
}

TEST(StatisticsRanks, SpearmanOfWorkedExamples) {
  // Wikipedia, Spearman's rank correlation coefficient, "Example": IQ against hours of TV, rho = -29 / 165.
  const Values iq{106, 100, 86, 101, 99, 103, 97, 113, 112, 110}, hours{7, 27, 2, 50, 28, 29, 20, 12, 6, 17};
  EXPECT_NEAR(spearman(iq, hours), -29.0 / 165, 1e-12);
  // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5).
  EXPECT_NEAR(spearman(Values{0, 1, 1, 9}, Values{1, 2, 3, 4}), 4.5 / std::sqrt(4.5 * 5), 1e-12);
  EXPECT_DOUBLE_EQ(spearman(Values{1, 2, 3}, Values{1, 10, 1000}), 1);
  EXPECT_DOUBLE_EQ(spearman(Values{1, 2, 3}, Values{0, -1, -7}), -1);
}

TEST(StatisticsRanks, SpearmanNeedsSpread) {
  EXPECT_TRUE(std::isnan(spearman(Values{1}, Values{2})));
  EXPECT_TRUE(std::isnan(spearman(Values{1, 1, 1}, Values{1, 2, 3})));
  EXPECT_THROW(spearman(Values{1, 2}, Values{1}), InternalError);
}

TEST(StatisticsRanks, AucCountsPairsAndHalfOfTheTies) {
  Random random(7);
  for (int draw = 0; draw < 200; ++draw) {
    Values values(12);
    std::vector<bool> planted(12);
    double above = 0, pairs = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<double>(random.below(5));
      planted[i] = random.below(3) == 0;
    }
    for (size_t i = 0; i < values.size(); ++i)
      for (size_t j = 0; j < values.size(); ++j) {
        if (!planted[i] || planted[j]) continue;
        above += values[i] > values[j] ? 1 : values[i] == values[j] ? 0.5 : 0;
        ++pairs;
      }
    if (pairs > 0) {
      EXPECT_NEAR(auc(values, planted), above / pairs, 1e-12);
    }
  }
}

TEST(StatisticsRanks, AucAtItsEnds) {
  EXPECT_DOUBLE_EQ(auc(Values{1, 2, 3, 4}, {false, false, true, true}), 1);
  EXPECT_DOUBLE_EQ(auc(Values{1, 2, 3, 4}, {true, true, false, false}), 0);
  EXPECT_DOUBLE_EQ(auc(Values{2, 2, 2}, {true, false, false}), 0.5);
  EXPECT_TRUE(std::isnan(auc(Values{1, 2}, {true, true})));
  EXPECT_THROW(auc(Values{1, 2}, {true}), InternalError);
}

}  // namespace
}  // namespace absorb
