#include "compensation/measures/first_order.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "tests/compensation/counted_subject.h"

namespace absorb {
namespace {

constexpr double rate = 0.02;

CompensationSettings first_order_settings(int64_t sequences) {
  CompensationSettings settings;
  settings.sequences = sequences;
  settings.draws = 3;
  settings.steps = {5, 20};
  return settings;
}

/// rate * n * ||J_S^T residual||_1 of a router whose values moved by 3 + draw / 4, mean over draws.
double closed_form(CountedSubject& subject, const Component& router, const std::vector<Component>& group,
                   double distance) {
  double sum = 0;
  for (int64_t draw = 0; draw < 3; ++draw) {
    std::vector<double> residual(subject.outputs(), -distance);
    for (std::size_t o = 0; o < residual.size(); ++o)
      residual[o] += subject.gain().at(router)[o] * (3 + 0.25 * static_cast<double>(draw));
    for (const Component& component : group)
      for (std::size_t k = 0; k < subject.gain().at(component).size(); ++k)
        sum += std::abs(subject.gain().at(component)[k] * residual[k % residual.size()]);
  }
  return rate * 20 * sum / 3;
}

TEST(CompensationFirstOrder, MeetsTheClosedForm) {
  CountedSubject subject({4, 4, 8, 0.3, Part::expert_router, true}, rate);  // the noise is 0 over all 8 sequences
  subject.goal_at_distance(0.7);
  const Measurement measured = measure_first_order(subject, first_order_settings(8), {});
  // router, module, rest, three blocks, embedding, final norm around each of four routers
  EXPECT_EQ(measured.edges.size(), 4U * 8);
  const Component router = subject.router(1);
  const auto expect = [&](const std::string& to, const std::vector<Component>& group) {
    const GraphEdge& edge = edge_of(measured, "1.expert_router", to, "first_order");
    EXPECT_NEAR(edge.value / closed_form(subject, router, group, 0.7), 1, 1e-10) << to;
    EXPECT_EQ(edge.samples, 3 * 8);
    EXPECT_GT(edge.standard_error, 0);
  };
  expect("1.expert_router", {router});
  expect("1.expert", {{1, Part::expert, 0}, {1, Part::expert, 1}, {1, Part::expert, 2}});
  expect("embedding", {{-1, Part::embedding, 0}, {-1, Part::embedding, 1}});
  expect("norm", {{-1, Part::norm, 0}});
  std::vector<Component> block;
  for (const Component& component : subject.components())
    if (component.layer == 3) block.push_back(component);
  expect("3.block", block);
}

TEST(CompensationFirstOrder, HalvesTellTheNoise) {
  CountedSubject subject({1, 4, 64, 200, Part::attention_router, true}, rate);
  subject.goal_at_distance(0);
  const Measurement measured = measure_first_order(subject, first_order_settings(64), {});
  const Json& edge = measured.details["edges"][0];
  EXPECT_GT(edge["halves"].get<double>(), 1.1 * measured.edges[0].value);
  EXPECT_LT(edge["crossed"].get<double>(), measured.edges[0].value + 1e-9);
}

TEST(CompensationFirstOrder, ErrorIsThatOfDrawsAndHalves) {
  CountedSubject subject({1, 1, 2, 1, Part::attention_router, false}, rate);
  subject.noise() = {{1}, {-1}};  // one sequence in each half
  subject.goal_at_distance(0);
  CompensationSettings settings = first_order_settings(2);
  settings.draws = 1;
  const double gain = std::abs(subject.gain().at({0, Part::q, 0})[0]);
  // A single draw: halves |3 g - 1| and |3 g + 1|, whose mean has the error of half their difference.
  const Measurement measured = measure_first_order(subject, settings, {});
  ASSERT_GT(3 * std::abs(subject.gain().at(subject.router(0))[0]), 1);
  double module = gain;
  for (Part part : {Part::k, Part::v, Part::o})
    for (double number : subject.gain().at({0, part, 0})) module += std::abs(number);
  EXPECT_NEAR(edge_of(measured, "0.attention_router", "0.q+k+v+o", "first_order").standard_error, rate * 20 * module,
              1e-10);
}

TEST(CompensationFirstOrder, KeepsToTheLayersAskedFor) {
  CountedSubject subject({3, 4, 8}, rate);
  MeasureContext context;
  context.layers = {2};
  const Measurement measured = measure_first_order(subject, first_order_settings(8), context);
  EXPECT_EQ(measured.edges.size(), 7U);
  for (const GraphEdge& edge : measured.edges) EXPECT_EQ(edge.from, "2.attention_router");
  EXPECT_EQ(subject.asked, 3 * 2);  // draws x halves
  EXPECT_EQ(subject.examples_read, 3 * 8);
  context.layers = {2, 5};
  try {
    measure_first_order(subject, first_order_settings(8), context);
    ADD_FAILURE() << "took layer 5";
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(),
                 "layer 5 has no router in this run; its routers are 0.attention_router, 1.attention_router, "
                 "2.attention_router");
  }
}

TEST(CompensationFirstOrder, IsResumedBitForBit) {
  expect_resumes(
      [] {
        return CountedSubject({3, 4, 8}, rate);
      },
      [](Subject& subject, const MeasureContext& context) {
        return measure_first_order(subject, first_order_settings(8), context);
      },
      5);
}

}  // namespace
}  // namespace absorb
