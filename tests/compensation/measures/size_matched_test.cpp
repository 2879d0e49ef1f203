// Each part's share beside that of random partitions into parts of the same sizes: 0 excess where every number matters
// alike, above 0 where a part holds more than its numbers, and nothing changed where none are asked for.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/compensation/linear_plants.h"
#include "tests/compensation/measures/recovery_layers.h"

namespace absorb {
namespace {

using Parts = std::array<double, 3>;  // of module, rest and cross

Parts shares_of(const CrossLayerShare& share) {
  return {share.module.value / share.all.value, share.rest.value / share.all.value,
          share.cross.value / share.all.value};
}

Parts sizes_of(const RecoveryResult& result) {
  Parts sizes{};
  const auto all = static_cast<double>(result.numbers[0] + result.numbers[1] + result.numbers[2]);
  for (std::size_t p = 0; p < 3; ++p) sizes[p] = static_cast<double>(result.numbers[p]) / all;
  return sizes;
}

/// Every player's number has the gain 0.3, and the disturbed router, which is no player, 1. At its minimum.
LinearSubject alike(double rate = 0.002) {
  LinearSubject subject({.noise = 0.05}, rate);
  for (const auto& [component, gain] : subject.gain()) subject.set_gain(component, 0.3);
  subject.set_gain(subject.router(1), 1);
  subject.goal_at_distance(0);
  return subject;
}

CompensationSettings partitioned(std::vector<int64_t> steps, std::vector<int64_t> dimensions, int64_t draws) {
  CompensationSettings settings = settings_of(std::move(steps), std::move(dimensions));
  settings.draws = draws;
  settings.random_partitions = 2;
  return settings;
}

/// After one step in all coordinates, output by output, v(S) = r^2 (rate G_S - rate^2 G_S^2 / 2), with G_S the sum of
/// the squared gains in S; so that phi_p is proportional to G_p (1 - rate G / 2), G the sum over all players.
Parts closed_form(const LinearSubject& subject, const RecoveryResult& result) {
  Parts phi{};
  double sum = 0;
  std::vector<Tensor> squares;  // [players][outputs]
  for (const Group& group : recovery_groups(subject.components(), result.router))
    for (const char* name : {"module", "rest", "cross"})
      if (group.name == name) squares.push_back(subject.jacobian(group.components).square().sum(1));
  const Tensor left = 1 - subject.rate() / 2 * (squares[0] + squares[1] + squares[2]);
  for (std::size_t p = 0; p < 3; ++p) sum += phi[p] = (squares[p] * left).sum().item<double>();
  for (double& part : phi) part /= sum;
  return phi;
}

TEST(CompensationSizeMatched, WhereEveryNumberMattersAlikeAShareIsThatOfTheNumbers) {
  LinearSubject subject = alike();
  const RecoveryResult result = recovery_of_layer(subject, partitioned({1}, {0}, 2), 1);
  EXPECT_EQ(result.numbers, (std::array<int64_t, 3>{4 + 8 + 4 + 4, 4 + 12, 3 * (4 + 8 + 4 + 4 + 4 + 12) + 4 + 3 * 4}));
  const CapacityResult& capacity = result.capacities.at(0);
  ASSERT_EQ(capacity.size_matched.size(), 1U);
  const Parts sizes = sizes_of(result), shares = shares_of(capacity.shares[0]),
              matched = shares_of(capacity.size_matched[0]);
  for (std::size_t p = 0; p < 3; ++p) {
    EXPECT_NEAR(shares[p], sizes[p], 1e-9);
    EXPECT_NEAR(matched[p], sizes[p], 1e-9);  // whichever numbers a part has
  }
  EXPECT_NEAR(capacity.size_matched[0].all.value, capacity.shares[0].all.value, 1e-12);
}

TEST(CompensationSizeMatched, AtEqualCapacityTheExcessIsWithinItsNoise) {
  LinearSubject subject = alike();
  const CapacityResult capacity = recovery_of_layer(subject, partitioned({1, 3}, {6}, 60), 1).capacities.at(0);
  ASSERT_EQ(capacity.size_matched.size(), 2U);
  for (std::size_t n = 0; n < 2; ++n) {
    const CrossLayerShare &share = capacity.shares[n], &matched = capacity.size_matched[n];
    for (const auto part : {&CrossLayerShare::module, &CrossLayerShare::rest, &CrossLayerShare::cross}) {
      const double error = std::hypot((share.*part).standard_error, (matched.*part).standard_error);
      EXPECT_NEAR((share.*part).value, (matched.*part).value, 3 * error);
      EXPECT_LT(error, 0.25 * (share.*part).value);
    }
    EXPECT_EQ(matched.all.samples, 2 * share.all.samples);
  }
}

TEST(CompensationSizeMatched, WhatCrossHoldsBeyondItsNumbersIsExcess) {
  LinearSubject subject = alike();
  subject.set_gain({3, Part::v, 0}, 1.5);
  subject.goal_at_distance(0);
  const RecoveryResult all = recovery_of_layer(subject, partitioned({1}, {0}, 40), 1);
  const Parts shares = shares_of(all.capacities[0].shares[0]), closed = closed_form(subject, all),
              sizes = sizes_of(all);
  for (std::size_t p = 0; p < 3; ++p) EXPECT_NEAR(shares[p], closed[p], 1e-9);
  const Parts matched = shares_of(all.capacities[0].size_matched[0]);
  for (std::size_t p = 0; p < 3; ++p) EXPECT_NEAR(matched[p], sizes[p], 0.03);  // the mean over 80 partitions
  EXPECT_NEAR(shares[2] - matched[2], closed[2] - sizes[2], 0.03);
  EXPECT_GT(shares[2] - matched[2], 0.05);
  EXPECT_LT(shares[0] - matched[0], 0);

  const RecoveryResult equal = recovery_of_layer(subject, partitioned({3}, {6}, 40), 1);
  const CrossLayerShare &share = equal.capacities[0].shares[0], &random = equal.capacities[0].size_matched[0];
  EXPECT_GT(shares_of(share)[2] - shares_of(random)[2], 0.05);
}

TEST(CompensationSizeMatched, ChangesNothingElseAndCostsNothingAtItsDefault) {
  LinearSubject plain({}), asked({});
  for (LinearSubject* subject : {&plain, &asked}) subject->goal_at_distance(0.5);
  CompensationSettings settings = settings_of({2, 5}, {12, 0});
  const Measurement without = measure_recovery(plain, settings, layer(1));
  EXPECT_FALSE(identifying(settings).contains("random_partitions"));  // what was measured before stays current
  EXPECT_FALSE(without.details["results"][0]["capacities"][0].contains("size_matched"));
  settings.random_partitions = 2;
  EXPECT_EQ(identifying(settings).at("random_partitions"), 2);
  Measurement with = measure_recovery(asked, settings, layer(1));
  EXPECT_NE(with.identity, without.identity);
  // Seven coalitions, with the disturbance and without, for each draw and partition.
  EXPECT_EQ(asked.adaptations() - plain.adaptations(), 7 * 2 * settings.draws * 2);
  const auto results = recovery_results(with);
  EXPECT_EQ(results[0].capacities[0].size_matched.size(), 2U);  // the curve over n, also from JSON
  EXPECT_TRUE(results[0].capacities[1].size_matched.empty());
  EXPECT_EQ(results[0].numbers, recovery_results(without)[0].numbers);
  with.details["results"][0]["capacities"][0].erase("size_matched");
  EXPECT_EQ(with.details.dump(), without.details.dump());
  ASSERT_EQ(with.edges.size(), without.edges.size());
  for (std::size_t e = 0; e < with.edges.size(); ++e) EXPECT_EQ(with.edges[e].value, without.edges[e].value);
}

/// [numbers] 1 where a coalition's numbers move.
Tensor moved_by(const std::vector<int64_t>& sizes, uint64_t draw, std::vector<std::size_t> chosen, int64_t dimension) {
  Adaptation adaptation{{{{0, Part::q, 0}}, {{0, Part::norm, 0}}, {{1, Part::q, 0}}}, {1}, dimension, 5};
  adaptation.dealt = Dealt{draw, std::move(chosen)};
  const Subspace space(adaptation, sizes, at::kCPU);
  return (space.expand(at::ones({space.dimension()}, at::kDouble)) != 0).to(at::kDouble);
}

TEST(CompensationSizeMatched, PartsAreDealtOutOnceEach) {
  const std::vector<int64_t> sizes = {5, 30, 65};
  for (const int64_t dimension : {0, 8}) {
    Tensor sum = at::zeros({100}, at::kDouble);
    for (std::size_t part = 0; part < 3; ++part) {
      const Tensor moved = moved_by(sizes, 3, {part}, dimension);
      EXPECT_EQ(moved.sum().item<double>(), static_cast<double>(sizes[part]));
      sum += moved;
    }
    EXPECT_TRUE(sum.equal(at::ones({100}, at::kDouble)));
    EXPECT_TRUE(moved_by(sizes, 3, {0, 2}, dimension)
                    .equal(moved_by(sizes, 3, {0}, dimension) + moved_by(sizes, 3, {2}, dimension)));
    EXPECT_FALSE(moved_by(sizes, 4, {1}, dimension).equal(moved_by(sizes, 3, {1}, dimension)));
  }
  // Compressing is the transpose of expanding.
  Adaptation adaptation{{{{0, Part::q, 0}}, {{0, Part::norm, 0}}, {{1, Part::q, 0}}}, {1}, 8, 5};
  adaptation.dealt = Dealt{3, {0, 2}};
  const Subspace space(adaptation, sizes, at::kCPU);
  EXPECT_EQ(space.dimension(), 5 + 8);
  const Tensor x = at::arange(100, at::kDouble), z = at::arange(13, at::kDouble);
  EXPECT_DOUBLE_EQ(space.compress(x).dot(z).item<double>(), x.dot(space.expand(z)).item<double>());
}

TEST(CompensationSizeMatched, APlayerWithoutNumbersIsDealtNone) {
  Group all{"all", {{0, Part::q, 0}, {1, Part::q, 0}}, {{{0, Part::q, 0}}, {}, {{1, Part::q, 0}}}};
  EXPECT_TRUE(dealt_coalition(all, rest_player).components.empty());
  EXPECT_EQ(dealt_coalition(all, cross_player).chosen, (std::vector<std::size_t>{1}));
  EXPECT_EQ(dealt_coalition(all, rest_player | cross_player).chosen, (std::vector<std::size_t>{1}));
  EXPECT_EQ(dealt_coalition(all, module_player).name, "module");
}

}  // namespace
}  // namespace absorb
