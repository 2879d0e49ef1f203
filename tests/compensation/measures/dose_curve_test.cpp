// The curve over the dose: the headline's question where every disturbance costs twice as much, and twice that.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/compensation/measures/recovery_layers.h"

namespace absorb {
namespace {

TEST(CompensationDoseCurve, DoublesTheDamageAndAgreesWithTheClosedForm) {
  LinearSubject subject({}, 0.01);
  subject.goal_at_distance(0.5);
  CompensationSettings settings = settings_of({3, 10}, {12, 0});
  settings.damage_doublings = 2;
  const RecoveryResult result = recovery_of_layer(subject, settings, 1);
  ASSERT_EQ(result.doses.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const DosePoint& point = result.doses[i];
    const double damage = std::ldexp(settings.damage, static_cast<int>(i) + 1);
    EXPECT_EQ(point.damage, damage);
    EXPECT_EQ(point.unmatched, "");
    EXPECT_GT(point.dose, i == 0 ? result.dose : result.doses[0].dose);
    EXPECT_NEAR(point.cost.value, damage, 0.02 * damage);
    double closed = 0;
    for (const Group& group : recovery_groups(subject.components(), result.router))
      for (uint64_t draw = 0; group.name == "all" && draw < 2; ++draw)
        closed += subject.recovery({{result.router}, draw, point.dose}, {adapting_parts(group), {10}, 12, draw}) / 2;
    EXPECT_NEAR(point.share.all.value, closed, 0.01 * closed);
    EXPECT_TRUE(point.share.share) << point.share.undefined;
  }
  EXPECT_EQ(json_of(recovery_result_from(json_of(result))).dump(), json_of(result).dump());
}

TEST(CompensationDoseCurve, EndsWhereTheWholeSwapCostsNoMore) {
  LinearSubject subject({.noise = 0.01});
  subject.goal_at_distance(0);
  CompensationSettings settings = settings_of({2}, {12});
  const double whole = recovery_of_layer(subject, settings, 1).swap_cost.value;
  settings.damage = 0.6 * whole;
  settings.damage_doublings = 1;
  const int64_t before = subject.adaptations();
  const RecoveryResult result = recovery_of_layer(subject, settings, 1);
  EXPECT_EQ(result.unmatched, "");
  ASSERT_EQ(result.doses.size(), 1U);
  EXPECT_NE(result.doses[0].unmatched.find("less than the"), std::string::npos) << result.doses[0].unmatched;
  EXPECT_EQ(result.doses[0].share.undefined, result.doses[0].unmatched);
  EXPECT_FALSE(result.doses[0].share.share);
  const int64_t with = subject.adaptations() - before;
  settings.damage_doublings = 0;
  recovery_of_layer(subject, settings, 1);
  EXPECT_EQ(subject.adaptations() - before, 2 * with);  // nothing adapted for it
}

TEST(CompensationDoseCurve, IsOfWholeSwapsNoneAndOfTheDefaultNone) {
  LinearSubject subject({});
  subject.goal_at_distance(0.5);
  CompensationSettings settings = settings_of({2}, {12});
  EXPECT_FALSE(identifying(settings).contains("damage_doublings"));
  const Measurement without = measure_recovery(subject, settings, layer(1));
  EXPECT_TRUE(recovery_results(without).at(0).doses.empty());
  settings.damage_doublings = 1;
  EXPECT_EQ(identifying(settings).at("damage_doublings"), 1);
  EXPECT_NE(measure_recovery(subject, settings, layer(1)).identity, without.identity);
  settings.damage = 0;
  EXPECT_TRUE(recovery_of_layer(subject, settings, 1).doses.empty());
}

}  // namespace
}  // namespace absorb
