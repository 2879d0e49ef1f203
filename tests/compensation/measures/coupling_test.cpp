#include "compensation/measures/coupling.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "compensation/subject/sketch.h"
#include "core/error.h"
#include "core/random.h"
#include "tests/compensation/counted_subject.h"

namespace absorb {
namespace {

double number(const Tensor& matrix, int64_t i, int64_t j) {
  return matrix[i][j].item<double>();
}

Tensor noise(uint64_t seed, const std::string& name, at::IntArrayRef shape) {
  return gauss({stream_key(seed, name), {}}, shape, at::kCPU).to(at::kDouble);
}

/// Blocks of Gram matrices of the gradients [components] of [blocks * n, numbers].
std::vector<Tensor> blocks_of(const std::vector<Tensor>& gradients, int64_t n) {
  std::vector<Tensor> blocks;
  for (int64_t begin = 0; begin + n <= gradients[0].size(0); begin += n) {
    std::vector<Tensor> grams;
    for (const Tensor& of_component : gradients) grams.push_back(gram_of(of_component.narrow(0, begin, n)));
    blocks.push_back(at::stack(grams));
  }
  return blocks;
}

TEST(CompensationCoupling, EqualsTheMaterialisedProduct) {
  constexpr int64_t n = 8, blocks = 3;
  std::vector<Tensor> g;
  for (int64_t numbers : {5, 7, 11}) g.push_back(noise(1, std::to_string(numbers), {blocks * n, numbers}) + 0.3);
  const CouplingStatistic statistic = coupling_of(blocks_of(g, n), {1, 0});
  EXPECT_EQ(statistic.examples, blocks * n);
  Tensor expected = at::zeros({3, 3}, at::kDouble);
  for (int64_t i = 0; i < 3; ++i)
    for (int64_t j = 0; j < 3; ++j)
      for (int64_t a = 0; a < blocks * n; ++a)
        for (int64_t b = a / n * n; b < a / n * n + n; ++b)
          if (a != b)
            expected[i][j] += (at::outer(g[static_cast<std::size_t>(i)][a], g[static_cast<std::size_t>(j)][a]) *
                               at::outer(g[static_cast<std::size_t>(i)][b], g[static_cast<std::size_t>(j)][b]))
                                  .sum() /
                              (blocks * n * (n - 1));
  EXPECT_LT((statistic.squared / expected - 1).abs().max().item<double>(), 1e-10);
  const Tensor own = expected.diagonal().sqrt();
  EXPECT_LT((statistic.value - expected / at::outer(own, own)).abs().max().item<double>(), 1e-10);
}

TEST(CompensationCoupling, GramIsSummedInDouble) {
  const Tensor g = gauss({5, {}}, {4, 200'000}, at::kCPU);  // more numbers than are made double at once
  const Tensor expected = g.to(at::kDouble).mm(g.to(at::kDouble).t());
  EXPECT_LT((gram_of(g) - expected).abs().max().item<double>(), 1e-12 * 200'000);
}

TEST(CompensationCoupling, TheDiagonalWouldCoupleIndependentNoise) {
  constexpr int64_t n = 128, numbers = 8192;
  const std::vector<Tensor> g{noise(2, "i", {n, numbers}), noise(2, "j", {n, numbers})};
  const Tensor grams = blocks_of(g, n)[0];
  const Tensor left_in = grams.view({2, n * n}).mm(grams.view({2, n * n}).t());
  EXPECT_NEAR(number(left_in, 0, 1) / std::sqrt(number(left_in, 0, 0) * number(left_in, 1, 1)), 0.98, 0.02);
  const std::vector<Tensor> one{grams};
  EXPECT_NEAR(number(coupling_of(one, {1, 0}).value, 0, 1), 0, 0.05);
}

/// How many of `draws` pairs of components have p <= 0.05; `shared` of the second's gradient is the first's.
double share_rejected(int64_t draws, double mean, double shared) {
  int64_t rejected = 0;
  for (int64_t draw = 0; draw < draws; ++draw) {
    const auto seed = static_cast<uint64_t>(draw);
    const Tensor first = noise(seed, "null/i", {48, 6}), second = noise(seed, "null/j", {48, 6});
    const auto blocks = blocks_of({first + mean, second + shared * first + mean}, 16);
    const CouplingStatistic statistic = coupling_of(blocks, {39, seed});
    const double p = number(statistic.p_value, 0, 1);
    EXPECT_EQ(number(statistic.value, 0, 1) > number(statistic.null_high, 0, 1), p <= 0.05) << p;
    rejected += p <= 0.05 ? 1 : 0;
  }
  return static_cast<double>(rejected) / static_cast<double>(draws);
}

TEST(CompensationCoupling, IndependentNoiseIsWithinItsNull) {
  constexpr int64_t draws = 400;
  const double error = std::sqrt(0.05 * 0.95 / draws);
  EXPECT_NEAR(share_rejected(draws, 0, 0), 0.05, 3 * error);
  EXPECT_NEAR(share_rejected(draws, 0.5, 0), 0.05, 3 * error);  // equal means are no dependence
  EXPECT_GT(share_rejected(40, 0, 0.5), 0.9);
}

TEST(CompensationCoupling, StandardErrorIsTheSpreadOfDraws) {
  std::vector<double> values;
  double error = 0;
  constexpr int draws = 200;
  for (uint64_t draw = 0; draw < draws; ++draw) {
    const Tensor first = noise(draw, "error/i", {256, 6});
    const auto blocks = blocks_of({first, first + noise(draw, "error/j", {256, 6})}, 16);
    const CouplingStatistic statistic = coupling_of(blocks, {1, 0});
    values.push_back(number(statistic.value, 0, 1));
    error += number(statistic.standard_error, 0, 1) / draws;
  }
  double mean = 0, squares = 0;
  for (double value : values) mean += value / draws;
  for (double value : values) squares += (value - mean) * (value - mean) / (draws - 1);
  EXPECT_NEAR(error / std::sqrt(squares), 1, 0.2);
  EXPECT_TRUE(std::isnan(number(coupling_of(blocks_of({noise(1, "a", {8, 3})}, 8), {1, 0}).standard_error, 0, 0)));
}

TEST(CompensationCoupling, SketchedDiagonalsAreCorrected) {
  constexpr int64_t n = 32, numbers = 2000, dimension = 256, sketches = 50;
  const Tensor g = noise(3, "sketched", {n, numbers});
  const double exact = number(coupling_of(blocks_of({g}, n), {1, 0}).squared, 0, 0);
  const std::vector<double> collisions{sketch_collision(numbers, dimension)};
  double corrected = 0, uncorrected = 0;
  for (uint64_t key = 0; key < sketches; ++key) {
    const auto blocks = blocks_of({CountSketch(key, numbers, dimension, at::kCPU).compress(g)}, n);
    corrected += number(coupling_of(blocks, {1, 0}, collisions).squared, 0, 0) / sketches;
    uncorrected += number(coupling_of(blocks, {1, 0}).squared, 0, 0) / sketches;
  }
  EXPECT_NEAR(corrected / exact, 1, 0.15);
  EXPECT_GT(uncorrected / exact, 5);
}

TEST(CompensationCoupling, SketchCollisionsCountPairsInABucket) {
  EXPECT_DOUBLE_EQ(sketch_collision(10, 4), (2 * 3 * 2 + 2 * 2 * 1) / 90.0);  // buckets of 3, 3, 2, 2
  EXPECT_DOUBLE_EQ(sketch_collision(12, 4), 2 / 11.0);
  EXPECT_EQ(sketch_collision(4, 4), 0);
  EXPECT_EQ(sketch_collision(4, 0), 0);
}

LinearSubject::Size size_of(std::size_t sequences) {
  return {2, 4, sequences, 0.3, Part::attention_router, false};
}

CompensationSettings exact_settings(int64_t examples) {
  CompensationSettings settings;
  settings.examples = settings.most_examples = examples;
  settings.sketch = 0;
  settings.permutations = 20;
  settings.precision = 1;
  return settings;
}

/// ||E[g_i g_j^T]||_F of the population: J_i^T M J_j, M = distance^2 + scale^2 I of noise of signs times `scale`.
struct Population {
  double distance = 0, scale = 0;
  double norm(const LinearSubject& subject, const std::string& i, const std::string& j) const {
    const Tensor m = at::full({4, 4}, distance * distance, at::kDouble) + scale * scale * at::eye(4, at::kDouble);
    return jacobian_of(subject, i).t().mm(m).mm(jacobian_of(subject, j)).norm().item<double>();
  }
  double value(const LinearSubject& subject, const GraphEdge& edge) const {
    const double product = norm(subject, edge.from, edge.to);
    return product * product / (norm(subject, edge.from, edge.from) * norm(subject, edge.to, edge.to));
  }
};

TEST(CompensationCoupling, MeetsTheClosedForm) {
  CountedSubject subject(size_of(4096));
  for (auto& [component, gains] : subject.gain())
    for (double& gain : gains) gain = 1 + 0.3 * std::tanh(gain);
  const Population population{0.2, 1};
  subject.goal_at_distance(population.distance);
  make_noise_signs(subject, population.scale);
  const Measurement measured = measure_coupling(subject, exact_settings(4096), {});
  ASSERT_EQ(measured.nodes.size(), 16U);
  ASSERT_EQ(measured.edges.size(), 16U * 15 / 2);
  for (std::size_t e = 0; e < measured.edges.size(); ++e) {
    const GraphEdge& edge = measured.edges[e];
    EXPECT_NEAR(edge.value / population.value(subject, edge), 1, 0.01) << edge.from << " " << edge.to;
    EXPECT_EQ(edge.samples, 4096);
    const double product = population.norm(subject, edge.from, edge.to);
    EXPECT_NEAR(measured.details["edges"][e]["nats_squared"].get<double>() / product, 1, 0.01);
  }
}

/// Gains that differ widely: weak edges hang on few large products, and have errors that say so.
TEST(CompensationCoupling, IsWithinItsErrorOfTheClosedForm) {
  CountedSubject subject(size_of(1024));
  const Population population{0.4, 1};
  subject.goal_at_distance(population.distance);
  make_noise_signs(subject, population.scale);
  double squares = 0;
  const Measurement measured = measure_coupling(subject, exact_settings(1024), {});
  for (const GraphEdge& edge : measured.edges) {
    const double errors = (edge.value - population.value(subject, edge)) / edge.standard_error;
    EXPECT_LT(std::abs(errors), 5) << edge.from << " " << edge.to;
    squares += errors * errors / static_cast<double>(measured.edges.size());
  }
  EXPECT_LT(squares, 4);
}

TEST(CompensationCoupling, IsResumedBitForBit) {
  CompensationSettings settings = exact_settings(64);
  settings.most_examples = 256;
  settings.precision = 1e-6;
  settings.sketch = 5;
  expect_resumes(
      [] { return CountedSubject(size_of(300)); },
      [&](Subject& subject, const MeasureContext& context) { return measure_coupling(subject, settings, context); }, 3);
}

TEST(CompensationCoupling, GradientPassesAreLinearInExamples) {
  for (int64_t examples : {32, 64, 128, 256}) {
    CountedSubject subject(size_of(300));
    measure_coupling(subject, exact_settings(examples), {});
    EXPECT_EQ(subject.examples_read, examples);
  }
}

TEST(CompensationCoupling, ReadsMoreUntilItIsPreciseOrSaysSo) {
  CompensationSettings settings = exact_settings(64);
  settings.most_examples = 200;  // six blocks of 32
  settings.precision = 1e-3;
  CountedSubject subject(size_of(300));
  subject.goal_at_distance(0.1);
  const Measurement measured = measure_coupling(subject, settings, {});
  EXPECT_EQ(subject.examples_read, 192);
  ASSERT_EQ(measured.notes.size(), 1U);
  EXPECT_NE(measured.notes[0].find("precision 0.001 needs about"), std::string::npos) << measured.notes[0];
  settings.precision = 1;
  CountedSubject content(size_of(300));
  EXPECT_TRUE(measure_coupling(content, settings, {}).notes.empty());
  EXPECT_EQ(content.examples_read, 64);
}

TEST(CompensationCoupling, NamesWhatCannotBeCoupled) {
  CountedSubject subject(size_of(64));
  subject.set_gain({0, Part::q, 0}, 0);
  const Measurement measured = measure_coupling(subject, exact_settings(64), {});
  EXPECT_EQ(measured.edges.size(), 15U * 14 / 2);
  ASSERT_EQ(measured.notes.size(), 1U);
  EXPECT_NE(measured.notes[0].find("0.q"), std::string::npos);
  CountedSubject alone(size_of(1));
  EXPECT_THROW(measure_coupling(alone, exact_settings(64), {}), UserError);
}

}  // namespace
}  // namespace absorb
