#include "compensation/measures/drift.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/compensation/counted_subject.h"

namespace absorb {
namespace {

const LinearSubject::Size size{2, 4, 8};

TEST(CompensationDrift, DistancesOfVectors) {
  const Tensor east = at::tensor({3.0, 0.0}), north = at::tensor({0.0, 4.0}), zero = at::zeros({2}, at::kDouble);
  EXPECT_DOUBLE_EQ(relative_displacement(east, north), 5.0 / 3);
  EXPECT_DOUBLE_EQ(angle_between(east, north), std::numbers::pi / 2);
  EXPECT_DOUBLE_EQ(angle_between(east, -7 * east), std::numbers::pi);
  EXPECT_EQ(angle_between(east, 2 * east), 0);
  // The inverse cosine of 1 - 5e-21 would be 0.
  EXPECT_NEAR(angle_between(at::tensor({1.0, 0.0}), at::tensor({1.0, 1e-10})) / 1e-10, 1, 1e-6);
  EXPECT_TRUE(std::isnan(relative_displacement(zero, east)));
  EXPECT_TRUE(std::isnan(angle_between(east, zero)));
}

/// Values times 1 + `by`, but for Q of layer 1, whose first number moves by 2 times its norm.
void move(LinearSubject& subject, double by) {
  for (auto& [component, row] : subject.value())
    for (double& number : row) number *= 1 + by;
}

TEST(CompensationDrift, IsInUnitsOfTheSameArms) {
  LinearSubject subject(size), paired(size), same(size);
  move(paired, 0.3);
  move(same, 0.3 + 0.13);  // 0.1 of the paired arm's norm
  auto& q = paired.value().at({1, Part::q, 0});
  const double norm = subject.values({"", {{1, Part::q, 0}}}).norm().item<double>();
  q = {norm, 0, 0, 0};
  subject.value().at({1, Part::q, 0}) = {0, norm, 0, 0};
  same.value().at({1, Part::q, 0}) = {norm, 0.5 * norm, 0, 0};
  MeasureContext context;
  context.paired = &paired;
  context.same = &same;
  const Measurement measured = measure_drift(subject, {}, context);
  EXPECT_EQ(measured.edges.size(), 2U * 16);
  EXPECT_TRUE(measured.notes.empty());
  const GraphEdge& drift = edge_of(measured, "0.feed_forward", "0.feed_forward", "drift");
  EXPECT_NEAR(drift.value, 3, 1e-10);
  EXPECT_TRUE(std::isnan(drift.standard_error));
  EXPECT_EQ(drift.samples, 12);
  EXPECT_NEAR(edge_of(measured, "0.feed_forward", "0.feed_forward", "angle").value, 0, 1e-7);
  EXPECT_NEAR(edge_of(measured, "1.q", "1.q", "drift").value, std::sqrt(2.0) / 0.5, 1e-10);
  EXPECT_NEAR(edge_of(measured, "1.q", "1.q", "angle").value, std::numbers::pi / 2, 1e-10);
}

TEST(CompensationDrift, IsAbsoluteWithoutSameArms) {
  LinearSubject subject(size), paired(size);
  move(paired, 0.3);
  MeasureContext context;
  context.paired = &paired;
  const Measurement measured = measure_drift(subject, {}, context);
  EXPECT_NEAR(edge_of(measured, "1.k", "1.k", "drift").value, 0.3, 1e-12);
  ASSERT_EQ(measured.notes.size(), 1U);
  EXPECT_NE(measured.notes[0].find("A/A arm"), std::string::npos);
}

TEST(CompensationDrift, NeedsThePairedArm) {
  LinearSubject subject(size), other(size);
  const Measurement alone = measure_drift(subject, {}, {});
  EXPECT_TRUE(alone.edges.empty());
  ASSERT_EQ(alone.notes.size(), 1U);
  EXPECT_NE(alone.notes[0].find("paired arm"), std::string::npos);
  MeasureContext context;
  context.paired = &other;
  EXPECT_NE(measure_drift(subject, {}, context).identity, alone.identity);
}

TEST(CompensationDrift, NamesWhatItLeavesOut) {
  LinearSubject subject(size), paired(size), same(size);
  move(paired, 0.3);
  move(same, 0.43);
  subject.pad({0, Part::k, 0}, 3);                                        // of another size
  subject.value().at({0, Part::v, 0}) = {0, 0, 0, 0};                     // no norm
  same.value().at({0, Part::o, 0}) = paired.value().at({0, Part::o, 0});  // the A/A arms agree
  MeasureContext context;
  context.paired = &paired;
  context.same = &same;
  const Measurement measured = measure_drift(subject, {}, context);
  EXPECT_EQ(measured.edges.size(), 2U * 16 - 2 - 2 - 1);
  ASSERT_EQ(measured.notes.size(), 3U);
  EXPECT_TRUE(measured.notes[0].starts_with("0.k is not in the paired arm")) << measured.notes[0];
  EXPECT_TRUE(measured.notes[1].starts_with("0.v is 0 everywhere")) << measured.notes[1];
  EXPECT_NE(measured.notes[2].find("agree in 0.o"), std::string::npos) << measured.notes[2];
}

}  // namespace
}  // namespace absorb
