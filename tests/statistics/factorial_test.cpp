#include "statistics/factorial.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/error.h"

namespace absorb {
namespace {

// loss = base + a [attention random] + m [experts random] + c [both random], each a multiple of 1/8: exact in binary.
struct Planted {
  double a, m, c;
};

TEST(StatisticsFactorial, RecoversPlantedEffects) {
  const std::vector<Planted> seeds{{0.5, 0.25, 0.125}, {0.75, 0.125, -0.25}, {0.25, 0.5, 0.5}};
  std::vector<double> ll, rl, lr, rr;
  for (const Planted& seed : seeds) {
    const double base = 3 + seed.a;
    ll.push_back(base);
    rl.push_back(base + seed.a);
    lr.push_back(base + seed.m);
    rr.push_back(base + seed.a + seed.m + seed.c);
  }
  const Factorial result = factorial({ll, rl, lr, rr});
  for (size_t i = 0; i < seeds.size(); ++i) {
    EXPECT_DOUBLE_EQ(result.gap_attention.by_seed[i], seeds[i].a + seeds[i].c / 2);
    EXPECT_DOUBLE_EQ(result.gap_moe.by_seed[i], seeds[i].m + seeds[i].c / 2);
    EXPECT_DOUBLE_EQ(result.interaction.by_seed[i], seeds[i].c);
    EXPECT_DOUBLE_EQ(result.severity.by_seed[i], seeds[i].m - seeds[i].a);
  }
  EXPECT_EQ(result.interaction.paired.n, 3);
  EXPECT_DOUBLE_EQ(result.interaction.paired.mean, 0.125);
  EXPECT_DOUBLE_EQ(result.gap_attention.paired.mean, 0.5625);
  EXPECT_DOUBLE_EQ(result.severity.paired.mean, (0.875 - 1.5) / 3);
}

TEST(StatisticsFactorial, ArmsNeedTheSameSeeds) {
  const std::vector<double> two{1, 2}, one{1};
  EXPECT_THROW(factorial({two, two, two, one}), InternalError);
  EXPECT_EQ(factorial({}).gap_moe.paired.n, 0);
}

}  // namespace
}  // namespace absorb
