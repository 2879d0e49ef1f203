#include "compensation/measures/recovery_measure.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/compensation/linear_plants.h"
#include "tests/compensation/measures/recovery_layers.h"

namespace absorb {
namespace {

/// By the closed form, the mean over the draws.
double expected(const LinearSubject& subject, const RecoveryResult& result, const Group& group, int64_t dimension,
                int64_t steps) {
  std::vector<std::vector<Component>> parts;
  for (const Group& known : recovery_groups(subject.components(), result.router))
    if (known.name == group.name) parts = adapting_parts(known);
  double sum = 0;
  for (int64_t d = 0; d < result.draws; ++d) {
    const auto draw = static_cast<uint64_t>(d);
    sum += subject.recovery({{result.router}, draw, result.dose}, {parts, {steps}, dimension, draw});
  }
  return sum / static_cast<double>(result.draws);
}

class CompensationRecovery : public testing::TestWithParam<Part> {};

TEST_P(CompensationRecovery, AgreesWithTheClosedForm) {
  LinearSubject subject({.router = GetParam()}, 0.01);
  subject.goal_at_distance(0.5);  // further training gains something: the second bracket counts
  const CompensationSettings settings = settings_of({3, 10}, {12, 0});
  const Measurement measurement = measure_recovery(subject, settings, {});
  const auto results = recovery_results(measurement);
  ASSERT_EQ(results.size(), 4U);
  EXPECT_EQ(measurement.measure, "recovery");
  for (const RecoveryResult& result : results) {
    EXPECT_EQ(result.tokens, 8 * 16);
    EXPECT_TRUE(result.diverged.empty());
    ASSERT_EQ(result.capacities.size(), 2U);
    EXPECT_EQ(result.capacities[0].groups.size(), 11U + 3 + 1);
    EXPECT_EQ(result.capacities[1].groups.size(), 7U);
    for (const CapacityResult& capacity : result.capacities) {
      for (const Recovery& one : capacity.groups) {
        const double closed = expected(subject, result, one.group, capacity.dimension, 10);
        EXPECT_NEAR(one.measured.value, closed, 1e-9 + 0.01 * std::abs(closed)) << one.group.name;
        EXPECT_EQ(one.group.components.empty(), closed == 0);
      }
      const double all = expected(subject, result, recovery(capacity, "all").group, capacity.dimension, 3);
      EXPECT_NEAR(capacity.shares.at(0).all.value, all, 0.01 * all);  // the curve over n
    }
  }
}

TEST_P(CompensationRecovery, IsMeasuredAtEqualDose) {
  LinearSubject subject({.router = GetParam()});
  subject.goal_at_distance(0.5);
  for (double damage : {0.02, 1.0}) {
    CompensationSettings settings = settings_of({2}, {12});
    settings.damage = damage;
    for (const RecoveryResult& result : recovery_results(measure_recovery(subject, settings, {}))) {
      double cost = 0;
      for (uint64_t draw : {0, 1}) cost += subject.damage({{result.router}, draw, result.dose}) / 2;
      EXPECT_NEAR(cost, damage, 0.02 * damage);
      EXPECT_NEAR(result.dose_cost.value, cost, 1e-9);
      EXPECT_GT(result.swap_cost.value, 2 * damage);
      EXPECT_EQ(result.unmatched, "");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Routers, CompensationRecovery, testing::Values(Part::attention_router, Part::expert_router));

TEST(CompensationRecoveryShare, ShapleyPartsSumToAll) {
  LinearSubject subject({});
  subject.goal_at_distance(0.5);
  const RecoveryResult result = recovery_of_layer(subject, settings_of({5, 10}, {12, 0}), 2);
  for (const CapacityResult& capacity : result.capacities) {
    for (const CrossLayerShare& share : capacity.shares) {
      ASSERT_TRUE(share.share) << share.undefined;
      EXPECT_NEAR(share.module.value + share.rest.value + share.cross.value, share.all.value,
                  1e-13 * std::abs(share.all.value));
      EXPECT_EQ(*share.share, share.cross.value / share.all.value);
    }
    EXPECT_EQ(capacity.shares.back().all.value, recovery(capacity, "all").measured.value);
  }
}

TEST(CompensationRecoveryShare, BlockDiagonalHasExactlyNone) {
  LinearSubject subject({});
  for (int64_t l = 0; l < subject.layers(); ++l) subject.set_gain(subject.router(l), 1);
  make_block_diagonal(subject);
  subject.goal_at_distance(0);
  // Every player adapts in a subspace of its own, so that this holds at equal capacity, too.
  for (int64_t l = 0; l < subject.layers(); ++l) {
    const RecoveryResult result = recovery_of_layer(subject, settings_of({20}, {6, 0}), l);
    for (const CapacityResult& capacity : result.capacities) {
      const CrossLayerShare& share = capacity.shares.at(0);
      ASSERT_TRUE(share.share) << share.undefined;
      EXPECT_EQ(*share.share, 0.0) << capacity.dimension;
      EXPECT_GT(recovery(capacity, "module").measured.value, 0.05);
      EXPECT_EQ(recovery(capacity, "cross").measured.value, 0.0);
    }
  }
}

TEST(CompensationRecoveryShare, PlantedRedundancyIsTheStrongestEdge) {
  LinearSubject subject({.outputs = 5, .noise = 0.05});
  plant_redundancy(subject);
  const Measurement measurement = measure_recovery(subject, settings_of({15}, {24}), {});
  std::vector<GraphEdge> edges = measurement.edges;
  std::sort(edges.begin(), edges.end(), [](auto& a, auto& b) { return a.value > b.value; });
  EXPECT_EQ(edges.at(0).measure, "recovery");
  EXPECT_EQ(edges.at(0).from, "1.attention_router");
  EXPECT_EQ(edges.at(0).to, "3.block");
  EXPECT_GT(edges.at(0).value, 1.5 * edges.at(1).value);
  const auto results = recovery_results(measurement);
  EXPECT_GT(results.at(1).capacities[0].shares[0].share.value(), 0.6);
  EXPECT_LT(results.at(0).capacities[0].shares[0].share.value(), 0.5);
}

TEST(CompensationRecoveryShare, IsNotChangedByNumbersThatDoNothing) {
  CompensationSettings settings = settings_of({10}, {16});
  settings.draws = 24;
  const auto share_of = [&](const std::vector<Part>& padded) {
    LinearSubject subject({.noise = 0.05}, 0.003);
    for (Part part : padded) subject.pad({1, part, 0}, 200);
    subject.goal_at_distance(0);
    return recovery_of_layer(subject, settings, 1).capacities.at(0).shares.at(0);
  };
  const CrossLayerShare plain = share_of({});
  for (const auto& padded : {std::vector{Part::q, Part::k, Part::v, Part::o}, std::vector{Part::feed_forward}}) {
    const CrossLayerShare share = share_of(padded);
    const auto same = [](const Measured& a, const Measured& b) {
      EXPECT_NEAR(a.value, b.value, 2 * std::hypot(a.standard_error, b.standard_error));
      EXPECT_LT(a.standard_error, 0.15);
    };
    same(share.module, plain.module);
    same(share.rest, plain.rest);
    same(share.cross, plain.cross);
    EXPECT_NEAR(*share.share, *plain.share, 2 * std::hypot(share.cross.standard_error, plain.cross.standard_error));
  }
}

TEST(CompensationRecoveryShare, AfterNoStepsNothingIsRecovered) {
  LinearSubject subject({});
  subject.goal_at_distance(0.5);
  const RecoveryResult result = recovery_of_layer(subject, settings_of({0, 4}, {12, 0}), 1);
  for (const CapacityResult& capacity : result.capacities) {
    EXPECT_EQ(capacity.shares.at(0).all.value, 0.0);
    EXPECT_EQ(capacity.shares.at(0).cross.value, 0.0);
    EXPECT_FALSE(capacity.shares.at(0).share);
    EXPECT_NE(capacity.shares.at(0).undefined.find("within its noise"), std::string::npos);
    EXPECT_GT(capacity.shares.at(1).all.value, 0.0);
  }
  const RecoveryResult none = recovery_of_layer(subject, settings_of({0}, {12}), 1);
  for (const Recovery& one : none.capacities.at(0).groups) {
    EXPECT_EQ(one.measured.value, 0.0) << one.group.name;
    EXPECT_EQ(one.measured.standard_error, 0.0) << one.group.name;
  }
}

TEST(CompensationRecoveryUndefined, WhenTheSwapIsWithinItsNoise) {
  LinearSubject subject({.noise = 5});
  subject.set_gain(subject.router(1), 0.05);
  subject.goal_at_distance(0);
  const Measurement measurement = measure_recovery(subject, settings_of({5, 10}, {12, 0}), layer(1));
  const RecoveryResult result = recovery_results(measurement).at(0);
  EXPECT_GT(result.swap_cost.value, 0);
  EXPECT_EQ(subject.adaptations(), 0);
  EXPECT_TRUE(measurement.edges.empty());
  for (const CapacityResult& capacity : result.capacities)
    for (const CrossLayerShare& share : capacity.shares) {
      EXPECT_FALSE(share.share);
      EXPECT_EQ(share.undefined, within_noise("the swap costs", result.swap_cost));
    }
  ASSERT_EQ(result.capacities.at(1).shares.size(), 2U);
  ASSERT_FALSE(measurement.notes.empty());
  EXPECT_EQ(measurement.notes.back(),
            "1.attention_router: " + within_noise("the swap costs", result.swap_cost) + ": recovery is undefined");
}

TEST(CompensationRecoveryUnmatched, SaysWhichDamageWouldFit) {
  LinearSubject subject({.noise = 0.01});
  subject.goal_at_distance(0);
  CompensationSettings settings = settings_of({10}, {12, 0});
  settings.damage = 1e3;
  const Measurement measurement = measure_recovery(subject, settings, layer(1));
  const RecoveryResult result = recovery_results(measurement).at(0);
  EXPECT_EQ(result.dose, 1);
  EXPECT_EQ(result.dose_cost.value, result.swap_cost.value);
  EXPECT_NE(result.unmatched.find(fmt::format("costs {:.6f} nats, less than the 1000", result.swap_cost.value)),
            std::string::npos)
      << result.unmatched;
  EXPECT_EQ(measurement.edges.size(), 8U);
  for (const GraphEdge& edge : measurement.edges) EXPECT_EQ(edge.measure, "recovery_unmatched");
  settings.damage = std::stod(result.unmatched.substr(result.unmatched.find("damage = ") + 9));
  EXPECT_GT(settings.damage, 0.9 * result.swap_cost.value);
  const Measurement fitting = measure_recovery(subject, settings, layer(1));
  EXPECT_EQ(recovery_results(fitting).at(0).unmatched, "");
  EXPECT_EQ(std::count_if(fitting.edges.begin(), fitting.edges.end(), [](auto& e) { return e.measure == "recovery"; }),
            8);
  EXPECT_EQ(fitting.edges.size(), 8U + 2);
}

TEST(CompensationRecoveryDiverged, IsNamedCountedAndLeftOut) {
  LinearSubject subject({.noise = 0.01});
  subject.set_gain({0, Part::q, 0}, 20);  // rate * gain^2 = 8: every step makes it 7 times worse
  subject.goal_at_distance(1e-9);         // ... from almost nothing where nothing is disturbed
  const Measurement measurement = measure_recovery(subject, settings_of({10}, {0}), layer(0));
  const RecoveryResult result = recovery_results(measurement).at(0);
  const CapacityResult& capacity = result.capacities.at(0);
  EXPECT_EQ(recovery(capacity, "module").measured.samples, 0);
  EXPECT_TRUE(std::isnan(recovery(capacity, "module").by_draw.at(1)));
  EXPECT_EQ(recovery(capacity, "block.2").measured.samples, 16);
  ASSERT_EQ(result.diverged.size(), 4U * 2);  // module, module+rest, module+cross, all
  EXPECT_EQ(result.diverged.at(0).group, "module");
  EXPECT_EQ(result.diverged.at(0).draw, 0);
  EXPECT_FALSE(capacity.shares.at(0).share);
  EXPECT_EQ(capacity.shares.at(0).undefined, "an adaptation diverged in every draw");
  EXPECT_EQ(measurement.edges.size(), 7U);
  for (const GraphEdge& edge : measurement.edges) EXPECT_NE(edge.to, "0.q+k+v+o");
  ASSERT_FALSE(measurement.notes.empty());
  EXPECT_TRUE(measurement.notes.back().starts_with(
      "0.attention_router: 8 adaptations diverged and are left out: module (dimension 0, draw 0), "))
      << measurement.notes.back();
  subject.goal_at_distance(0.5);  // without a disturbance, too
  const RecoveryResult both = recovery_of_layer(subject, settings_of({10}, {0}), 0);
  ASSERT_EQ(both.diverged.size(), 4U);
  EXPECT_EQ(both.diverged.at(0).draw, std::nullopt);
}

}  // namespace
}  // namespace absorb
