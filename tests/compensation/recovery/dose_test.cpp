#include "compensation/recovery/dose.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "compensation/recovery/sampling.h"
#include "core/error.h"
#include "core/random.h"

namespace absorb {
namespace {

Dose search(const std::function<double(double)>& damage, double target, double largest) {
  return find_dose(damage, {target, largest, damage(largest), 0.02, 12});
}

TEST(CompensationDose, OfAPowerLawTakesFewEvaluations) {
  for (double power : {0.5, 1.0, 2.0, 3.0})
    for (double largest_damage : {0.021, 0.3, 2.6, 500.0})
      for (double largest : {1.0, 10.0}) {
        const auto damage = [&](double dose) { return largest_damage * std::pow(dose / largest, power); };
        const Dose found = search(damage, 0.02, largest);
        EXPECT_TRUE(found.reached) << power << " " << largest_damage;
        EXPECT_NEAR(found.damage, 0.02, 0.02 * 0.02);
        EXPECT_EQ(found.damage, damage(found.dose));
        EXPECT_LE(found.evaluations, 8) << power << " " << largest_damage;
      }
}

TEST(CompensationDose, OfOtherCurvesIsFoundWithinItsEvaluations) {
  Random random(stream_key(1, "dose"));
  for (int trial = 0; trial < 500; ++trial) {
    const double a = random.uniform(), b = 3 * random.uniform(), c = 0.2 + 5 * random.uniform();
    const double dip = 0.01 * random.uniform();  // falls below 0 first, as where the run is no minimum
    const auto damage = [&](double dose) { return -dip * dose + a * dose * dose + b * (1 - std::exp(-c * dose)); };
    if (damage(1) < 0.05) continue;
    const Dose found = search(damage, 0.02, 1);
    EXPECT_TRUE(found.reached) << a << " " << b << " " << c << " " << dip;
    EXPECT_LE(found.evaluations, 12);
    EXPECT_GT(found.dose, 0);
    EXPECT_LE(found.dose, 1);
  }
}

TEST(CompensationDose, LeavesInfinityBehind) {
  const auto damage = [](double dose) {
    return dose > 0.7 ? std::numeric_limits<double>::infinity() : 40 * dose * dose;
  };
  const Dose found = search(damage, 0.02, 10);
  EXPECT_TRUE(found.reached);
  EXPECT_NEAR(found.dose, std::sqrt(0.02 / 40), 0.01 * found.dose);
}

TEST(CompensationDose, AJumpIsNotReached) {
  const Dose found = search([](double dose) { return dose < 0.3 ? 0.001 : 0.1; }, 0.02, 1);
  EXPECT_FALSE(found.reached);
  EXPECT_EQ(found.evaluations, 12);
  EXPECT_EQ(found.damage, 0.001);  // nearer than 0.1
  EXPECT_THROW(search([](double) { return 0.01; }, 0.02, 1), InternalError);
}

TEST(CompensationSampling, IsSpreadEvenly) {
  EXPECT_EQ(spread_evenly(4, 10), (std::vector<int64_t>{0, 2, 5, 7}));
  EXPECT_EQ(spread_evenly(3, 3), (std::vector<int64_t>{0, 1, 2}));
}

TEST(CompensationSampling, SaysWhatMoreIsNeeded) {
  const auto more = [](const DrawRows& rows, double precision) { return more_needed(rows, mean_of(rows), precision); };
  EXPECT_EQ(more({{1, 2, 3, 6}}, 0.5), "");
  // The error is sqrt(14 / 3 / 4) = 1.08, of 3: 4 sequences (0.36 / 0.1)^2 times.
  EXPECT_EQ(more({{1, 2, 3, 6}}, 0.1), "a relative error of 0.36, above 0.1: about 52 sequences instead of 4");
  EXPECT_NE(more({{1, 1.1, 0.9}, {3, 3.1, 2.9}}, 0.1).find("draws instead of 2"), std::string::npos);
  EXPECT_EQ(more({{1}}, 0.1), "");
  EXPECT_TRUE(std::isinf(relative_error({0, 0, 4})));
}

}  // namespace
}  // namespace absorb
