#include "compensation/measures/alignment.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "tests/compensation/counted_subject.h"

namespace absorb {
namespace {

constexpr int64_t count = 64, hidden = 96, width = 64, rank = 8;

Tensor drawn(std::string_view what, at::IntArrayRef shape) {
  return gauss({stream_key(5, what), {}}, shape, at::kCPU).to(at::kDouble);
}

/// [E,F,D]: experts that listen to `rank` directions each, [E,rank,D] orthonormal, and a little to everything else.
struct Listeners {
  explicit Listeners(double elsewhere) {
    std::vector<Tensor> spans, experts;
    for (int64_t e = 0; e < count; ++e) {
      const std::string name = std::to_string(e);
      spans.push_back(std::get<0>(at::linalg_qr(drawn("span" + name, {width, rank}))).t());
      experts.push_back(drawn("reads" + name, {hidden, rank}).mm(spans.back()) +
                        elsewhere * drawn("noise" + name, {hidden, width}));
    }
    span = at::stack(spans);
    inputs = at::stack(experts);
  }
  Tensor span, inputs;
};

Tensor within(const Listeners& listeners) {
  return at::bmm(drawn("within", {count, 1, rank}), listeners.span).squeeze(1);  // [E,D]
}

ExpertLayer layer_of(int64_t layer, const Tensor& directions, const Tensor& inputs) {
  const Tensor scores = drawn("scores", {directions.size(0), 32});
  return {{layer, Part::expert_router, 0}, directions, inputs, scores, 2 * scores + 3};
}

LinearSubject routed_subject() {
  return LinearSubject({2, 4, 32, 0.3, Part::expert_router});
}

TEST(CompensationAlignment, IsOneWithinTheSubspaceAndNoneBeside) {
  const Listeners listeners(0);
  const Tensor inside = within(listeners);
  const Tensor shares = subspace_shares(inside, listeners.inputs, rank);
  EXPECT_LT((shares - 1).abs().max().item<double>(), 1e-9);
  // What is left of a random direction without its part in the span.
  const Tensor any = drawn("any", {count, width, 1});
  const Tensor beside = (any - listeners.span.transpose(1, 2).bmm(listeners.span.bmm(any))).squeeze(2);
  EXPECT_LT(subspace_shares(beside, listeners.inputs, rank).max().item<double>(), 1e-9);
  // Of two orthogonal parts of equal length, one within, half is.
  const Tensor half = inside / inside.norm(2, {1}, true) + beside / beside.norm(2, {1}, true);
  EXPECT_LT((subspace_shares(half, listeners.inputs, rank) - 0.5).abs().max().item<double>(), 1e-9);
  const Listeners noisy(0.01);
  EXPECT_GT(subspace_shares(within(noisy), noisy.inputs, rank).min().item<double>(), 0.999);
}

TEST(CompensationAlignment, OfARandomDirectionIsChance) {
  const Listeners listeners(0.1);
  const Tensor random = drawn("random", {count, width});
  const Tensor shares = subspace_shares(random, listeners.inputs, rank);
  const Chance chance = chance_of(rank, width);
  EXPECT_DOUBLE_EQ(chance.mean, 0.125);
  EXPECT_NEAR(shares.mean().item<double>(), chance.mean, 3 * chance.sd / 8);
  EXPECT_NEAR(shares.std().item<double>(), chance.sd, 0.3 * chance.sd);
  EXPECT_NEAR(chance_of(1, 2).sd, 1 / std::sqrt(8.0), 1e-15);  // of cos^2 of an even angle
}

TEST(CompensationAlignment, TheSubspaceIsAnEighthOfTheWidth) {
  EXPECT_EQ(subspace_rank(96, 64), 8);
  EXPECT_EQ(subspace_rank(3, 64), 3);
  EXPECT_EQ(subspace_rank(16, 4), 1);
}

TEST(CompensationAlignment, CorrelatesRowByRow) {
  const Tensor a = at::tensor({1.0, 2.0, 3.0, 4.0, 4.0, 4.0, 0.0, 1.0, 0.0}, at::kDouble).view({3, 3}),
               b = at::tensor({6.0, 4.0, 2.0, 1.0, 2.0, 3.0, 1.0, 1.0, 4.0}, at::kDouble).view({3, 3});
  const Tensor r = row_correlations(a, b);
  EXPECT_NEAR(r[0].item<double>(), -1, 1e-12);
  EXPECT_TRUE(std::isnan(r[1].item<double>()));
  EXPECT_NEAR(r[2].item<double>(), -0.5, 1e-12);
}

/// The arm that learned against the one whose router is random: what is reported is above chance in the one alone.
TEST(CompensationAlignment, TellsALearnedRouterFromARandomOne) {
  const Listeners listeners(0.1);
  LinearSubject learned = routed_subject(), random = routed_subject();
  learned.experts() = {layer_of(1, within(listeners), listeners.inputs)};
  random.experts() = {layer_of(1, drawn("random", {count, width}), listeners.inputs)};
  const Measurement one = measure_alignment(learned, {}, {}), other = measure_alignment(random, {}, {});
  const GraphEdge& edge = edge_of(one, "1.expert_router", "1.expert", "alignment");
  EXPECT_NEAR(edge.value, 1 - 0.125, 0.05);
  EXPECT_EQ(edge.samples, count);
  const GraphEdge& chance = edge_of(other, "1.expert_router", "1.expert", "alignment");
  EXPECT_LT(std::abs(chance.value), 3 * chance.standard_error);
  EXPECT_GT(edge.value - chance.value, 0.7);
  EXPECT_NEAR(edge_of(one, "1.expert_router", "1.expert", "response").value, 1, 1e-12);
  const Json& details = one.details["layers"][0];
  EXPECT_EQ(details["node"], "1.expert");
  EXPECT_EQ(details["rank"], rank);
  EXPECT_DOUBLE_EQ(details["chance"].get<double>(), 0.125);
  EXPECT_EQ(details["share"].size(), static_cast<std::size_t>(count));
  double sum = 0;
  for (const Json& share : details["share"]) sum += share.get<double>();
  EXPECT_NEAR(sum / count - 0.125, edge.value, 1e-12);
}

TEST(CompensationAlignment, ReadsTheLayersThatAreNamedAndAsManySequencesAsItMay) {
  const Listeners listeners(0.1);
  LinearSubject subject = routed_subject();
  for (const int64_t layer : {0, 1}) subject.experts().push_back(layer_of(layer, within(listeners), listeners.inputs));
  CompensationSettings settings;
  settings.sequences = 16;
  EXPECT_EQ(measure_alignment(subject, settings, {}).edges.size(), 4U);
  MeasureContext context;
  context.layers = {1};
  const Measurement measured = measure_alignment(subject, settings, context);
  ASSERT_EQ(measured.edges.size(), 2U);
  EXPECT_EQ(measured.edges[0].from, "1.expert_router");
  EXPECT_EQ(measured.details["layers"][0]["tokens"], 16);
  context.layers = {2};
  EXPECT_THROW(measure_alignment(subject, settings, context), UserError);
}

TEST(CompensationAlignment, SaysWhatHasNone) {
  LinearSubject plain({2, 4, 32});
  const Measurement none = measure_alignment(plain, {}, {});
  EXPECT_TRUE(none.edges.empty());
  ASSERT_EQ(none.notes.size(), 1U);
  EXPECT_NE(none.notes[0].find("No experts are routed"), std::string::npos);
  const Listeners listeners(0.1);
  LinearSubject blind = routed_subject();
  blind.experts() = {layer_of(0, at::zeros({count, width}, at::kDouble), listeners.inputs)};
  const Measurement measured = measure_alignment(blind, {}, {});
  ASSERT_EQ(measured.edges.size(), 1U);  // its scores may still go with what experts answer
  EXPECT_EQ(measured.edges[0].measure, "response");
  ASSERT_EQ(measured.notes.size(), 1U);
  EXPECT_NE(measured.notes[0].find("0.expert_router don't change"), std::string::npos) << measured.notes[0];
  EXPECT_TRUE(measured.details["layers"][0]["share"][0].is_null());
  blind.experts()[0].inputs = listeners.inputs * std::numeric_limits<double>::infinity();
  EXPECT_THROW(measure_alignment(blind, {}, {}), UserError);
}

}  // namespace
}  // namespace absorb
