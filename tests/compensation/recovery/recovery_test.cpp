#include "compensation/recovery/recovery.h"

#include <gtest/gtest.h>

#include <cmath>

#include "compensation/graph/nodes.h"
#include "core/error.h"
#include "core/numbers.h"
#include "core/random.h"

namespace absorb {
namespace {

/// Two layers of a run of target `both`.
std::vector<Component> two_layers() {
  std::vector<Component> components{{-1, Part::embedding, 0}, {-1, Part::embedding, 1}, {-1, Part::norm, 0}};
  for (int64_t layer : {0, 1}) {
    for (Part part :
         {Part::attention_router, Part::expert_router, Part::q, Part::k, Part::v, Part::o, Part::expert, Part::norm})
      components.push_back({layer, part, 0});
    components.push_back({layer, Part::expert, 1});
  }
  return components;
}

std::vector<std::string> members(const std::vector<Group>& groups, const std::string& name) {
  for (const Group& group : groups) {
    if (group.name != name) continue;
    std::vector<std::string> result;
    for (const Component& component : group.components) result.push_back(to_string(component));
    return result;
  }
  ADD_FAILURE() << "no group " << name;
  return {};
}

using Names = std::vector<std::string>;

TEST(CompensationGroups, OfAnAttentionRouter) {
  const auto groups = recovery_groups(two_layers(), {1, Part::attention_router, 0});
  EXPECT_EQ(members(groups, "router"), Names{"1.attention_router"});
  EXPECT_EQ(members(groups, "module"), (Names{"1.q", "1.k", "1.v", "1.o"}));
  EXPECT_EQ(members(groups, "rest"), (Names{"1.expert_router", "1.expert.0", "1.expert.1", "1.norm"}));
  EXPECT_EQ(members(groups, "downstream"), Names{"norm"});
  EXPECT_EQ(members(groups, "upstream").size(), 9U);
  EXPECT_EQ(members(groups, "block.0"), members(groups, "upstream"));
  EXPECT_EQ(members(groups, "embedding").size(), 2U);
  EXPECT_EQ(members(groups, "final"), Names{"norm"});
  EXPECT_EQ(members(groups, "cross").size(), 10U);
  EXPECT_EQ(members(groups, "module+rest").size(), 8U);
  EXPECT_EQ(members(groups, "all").size(), 18U);  // not the router, not the embedding
}

TEST(CompensationGroups, OfAnExpertRouter) {
  const auto groups = recovery_groups(two_layers(), {0, Part::expert_router, 0});
  EXPECT_EQ(members(groups, "module"), (Names{"0.expert.0", "0.expert.1"}));
  EXPECT_EQ(members(groups, "rest"), (Names{"0.attention_router", "0.q", "0.k", "0.v", "0.o", "0.norm"}));
  EXPECT_EQ(members(groups, "upstream"), Names{});
  EXPECT_EQ(members(groups, "downstream").size(), 10U);
}

TEST(CompensationGroups, NeedARouter) {
  EXPECT_THROW(recovery_groups(two_layers(), {0, Part::q, 0}), InternalError);
  EXPECT_THROW(recovery_groups(two_layers(), {7, Part::expert_router, 0}), InternalError);
  EXPECT_EQ(router_components(two_layers()).size(), 4U);
}

TEST(CompensationGroups, OfPartsHoldEveryComponentOnce) {
  const auto groups = part_groups(two_layers());
  EXPECT_EQ(groups.size(), 2U + 2 * 8);
  EXPECT_EQ(groups.at(0).name, "embedding");
  EXPECT_EQ(groups.at(1).name, "norm");
  EXPECT_EQ(groups.at(2).name, "0.attention_router");
  EXPECT_EQ(members(groups, "embedding").size(), 2U);
  EXPECT_EQ(members(groups, "1.expert"), (Names{"1.expert.0", "1.expert.1"}));
  for (const Group& group : groups) EXPECT_EQ(node_of(group).name, group.name);
}

TEST(CompensationNodes, AreNamedByLayerAndParts) {
  const auto groups = recovery_groups(two_layers(), {1, Part::attention_router, 0});
  const auto node = [&](const std::string& name) {
    for (const Group& group : groups)
      if (group.name == name) return node_of(group);
    throw std::runtime_error(name);
  };
  EXPECT_EQ(node("module").name, "1.q+k+v+o");
  EXPECT_EQ(node("rest").part, "expert_router+expert+norm");
  EXPECT_EQ(node("block.0").name, "0.block");
  EXPECT_EQ(node("final").name, "norm");
  EXPECT_EQ(node("final").layer, -1);
  EXPECT_THROW(node("all"), InternalError);
  EXPECT_THROW(node_of({"empty", {}}), InternalError);
  for (const Component& component : two_layers()) EXPECT_EQ(component_from(json_of(component)), component);
}

TEST(CompensationShapley, AveragesMarginalsOverAllOrders) {
  // The glove game: module and rest each hold a left glove, cross the right one; a pair is worth 1.
  const auto glove = shapley({0, 0, 0, 0, 0, 1, 1, 1});
  EXPECT_NEAR(glove[0], 1.0 / 6, 1e-15);
  EXPECT_NEAR(glove[1], 1.0 / 6, 1e-15);
  EXPECT_NEAR(glove[2], 4.0 / 6, 1e-15);
}

TEST(CompensationShapley, SumsToTheWholeAndGivesADummyExactlyNothing) {
  Random random(stream_key(3, "shapley"));
  for (int trial = 0; trial < 200; ++trial) {
    std::array<double, 8> value{};
    for (std::size_t bits = 1; bits < 8; ++bits) value[bits] = random.gauss();
    auto parts = shapley(value);
    EXPECT_NEAR(parts[0] + parts[1] + parts[2], value[7], 1e-14);
    for (std::size_t bits = 0; bits < 4; ++bits) value[bits | cross_player] = value[bits];
    parts = shapley(value);
    EXPECT_EQ(parts[2], 0.0);
    EXPECT_NEAR(parts[0] + parts[1], value[7], 1e-14);
  }
}

TEST(CompensationMean, OneDrawHasTheErrorOfItsSequences) {
  const Measured measured = mean_of({{1, 2, 3, 6}});
  EXPECT_DOUBLE_EQ(measured.value, 3);
  EXPECT_DOUBLE_EQ(measured.standard_error, std::sqrt(14.0 / 3 / 4));
  EXPECT_EQ(measured.samples, 4);
}

TEST(CompensationMean, DrawsThatDisagreeAddToTheError) {
  const Measured agree = mean_of({{1, 2, 3, 6}, {1, 2, 3, 6}});
  const Measured disagree = mean_of({{0, 1, 2, 5}, {2, 3, 4, 7}});
  EXPECT_DOUBLE_EQ(agree.value, 3);
  EXPECT_DOUBLE_EQ(disagree.value, 3);
  EXPECT_NEAR(agree.standard_error, std::sqrt(14.0 / 3 / 4), 1e-12);
  // The draws' means are 2 and 4: their mean has variance 1.
  EXPECT_NEAR(disagree.standard_error, std::sqrt(14.0 / 3 / 4 + 1), 1e-12);
  EXPECT_EQ(disagree.samples, 8);
}

TEST(CompensationMean, NothingIsAboveUnknownNoise) {
  EXPECT_TRUE(std::isnan(mean_of({}).value));
  EXPECT_TRUE(std::isnan(mean_of({{5.0}}).standard_error));
  EXPECT_FALSE(above_noise(mean_of({{5.0}})));
  EXPECT_FALSE(above_noise({1.9, 1, 4}));
  EXPECT_TRUE(above_noise({2.1, 1, 4}));
}

TEST(CompensationRecoveryJson, ReadsBackWhatItWrote) {
  RecoveryResult result;
  result.router = {2, Part::expert_router, 0};
  result.steps = {5, 10};
  result.draws = 3;
  result.sequences = 8;
  result.tokens = 128;
  result.numbers = {20, 16, 124};
  result.base_loss = 0.1 + 0.2;
  result.swap_cost = {1.0 / 3, nan, 1};
  result.damage = 0.02;
  result.dose = 0.123456789012345678;
  result.dose_cost = {0.0201, 1e-5, 24};
  result.unmatched = "why";
  const Group group{"embedding", {{-1, Part::embedding, 0}, {-1, Part::embedding, 1}}};
  const CrossLayerShare defined{{1, 0.1, 24}, {0.2, 0.1, 24}, {0.3, 0.1, 24}, {0.5, 0.1, 24}, 0.5, ""};
  const CrossLayerShare undefined{{nan, nan, 0}, {nan, nan, 0}, {nan, nan, 0}, {nan, nan, 0}, {}, "within"};
  result.capacities = {{256, {{group, {0.1, 0.2, 24}, {0.1, nan, 0.3}}}, {undefined, defined}, {defined}}, {0, {}, {}}};
  result.diverged = {{"all", 256, 2}, {"rest", 0, std::nullopt}};
  const std::string text = json_of(result).dump();
  const RecoveryResult read = recovery_result_from(Json::parse(text));
  EXPECT_EQ(json_of(read).dump(), text);
  EXPECT_EQ(read.router, result.router);
  EXPECT_EQ(read.dose, result.dose);
  EXPECT_TRUE(std::isnan(read.swap_cost.standard_error));
  EXPECT_EQ(read.capacities.at(0).groups.at(0).group.components, group.components);
  EXPECT_EQ(read.capacities.at(0).shares.at(1).share, 0.5);
  EXPECT_FALSE(read.capacities.at(0).shares.at(0).share);
  EXPECT_EQ(read.diverged.at(0).draw, 2);
  EXPECT_EQ(read.diverged.at(1).draw, std::nullopt);
  EXPECT_EQ(read.numbers, result.numbers);
  EXPECT_EQ(read.capacities.at(0).size_matched.at(0).share, 0.5);
  Json before = Json::parse(text);  // what was measured before these were kept
  before.erase("numbers");
  before["capacities"][0].erase("size_matched");
  EXPECT_EQ(recovery_result_from(before).numbers, (std::array<int64_t, 3>{}));
  EXPECT_TRUE(recovery_result_from(before).capacities.at(0).size_matched.empty());
}

}  // namespace
}  // namespace absorb
