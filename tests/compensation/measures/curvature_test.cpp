#include "compensation/measures/curvature.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/error.h"
#include "tests/compensation/counted_subject.h"
#include "tests/compensation/linear_plants.h"

namespace absorb {
namespace {

CompensationSettings curvature_settings(int64_t probes) {
  CompensationSettings settings;
  settings.probes = settings.most_probes = probes;
  settings.curvature_sequences = 4;
  settings.precision = 1;
  return settings;
}

LinearSubject::Size linear_size(std::size_t sequences) {
  return {2, 4, sequences, 0.3, Part::attention_router, false};
}

/// ||H_jb||_F^2 / (||H_jj||_F ||H_bb||_F) with H_jb = J_j^T J_b.
double closed_form(const LinearSubject& subject, const std::string& j, const std::string& b) {
  const auto norm = [&](const std::string& one, const std::string& other) {
    return jacobian_of(subject, one).t().mm(jacobian_of(subject, other)).norm().item<double>();
  };
  return norm(j, b) * norm(j, b) / (norm(j, j) * norm(b, b));
}

/// Parts with one number for each output: their random signs drop out.
bool is_exact(const std::string& node) {
  static const std::set<std::string> parts{"attention_router", "q", "v", "o", "norm"};
  return parts.contains(node.substr(node.find('.') == std::string::npos ? 0 : node.find('.') + 1));
}

TEST(CompensationCurvature, MeetsTheClosedForm) {
  CountedSubject subject(linear_size(64));
  const Measurement measured = measure_curvature(subject, curvature_settings(48), {});
  ASSERT_EQ(measured.nodes.size(), 16U);
  ASSERT_EQ(measured.edges.size(), 16U * 15 / 2);
  double squares = 0;
  int noisy = 0, exact = 0;
  for (const GraphEdge& edge : measured.edges) {
    const double expected = closed_form(subject, edge.from, edge.to);
    EXPECT_EQ(edge.samples, 96);
    if (is_exact(edge.from) && is_exact(edge.to)) {
      EXPECT_NEAR(edge.value / expected, 1, 1e-10) << edge.from << " " << edge.to;
      EXPECT_LT(edge.standard_error, 1e-10);
      ++exact;
    } else {
      const double errors = (edge.value - expected) / edge.standard_error;
      EXPECT_LT(std::abs(errors), 5) << edge.from << " " << edge.to;
      squares += errors * errors;
      ++noisy;
    }
  }
  EXPECT_EQ(exact, 55);
  EXPECT_NEAR(squares / noisy, 1, 0.8);
}

TEST(CompensationCurvature, IsSymmetricWithTheErrorOfBothProbes) {
  const std::vector<Tensor> products{at::tensor({4.0, 1.0, 4.0, 3.0}, at::kDouble).view({2, 2}),
                                     at::tensor({6.0, 9.0, 2.0, 9.0}, at::kDouble).view({2, 2})};
  const CurvatureStatistic statistic = curvature_of(products);  // S = 4 2 / 4 9
  EXPECT_DOUBLE_EQ(statistic.squared[0][1].item<double>(), 3);
  EXPECT_DOUBLE_EQ(statistic.value[0][1].item<double>(), 0.5);
  EXPECT_DOUBLE_EQ(statistic.value[1][0].item<double>(), 0.5);
  // Without a probe of the first: 7/12, 5/12; of the second: 4/12, 8/12.
  EXPECT_DOUBLE_EQ(statistic.standard_error[0][1].item<double>(), std::sqrt(5.0 / 144));
}

/// Every vector of signs of every part instead of random ones.
TEST(CompensationCurvature, IsTheNormOverAllProbes) {
  CountedSubject subject(linear_size(8));
  std::vector<Group> groups;
  for (const Group& group : part_groups(subject.components()))
    if (group.name == "0.q" || group.name == "0.k" || group.name == "1.k") groups.push_back(group);
  ASSERT_EQ(groups.size(), 3U);
  const std::vector<int64_t> first{0, 1}, second{2, 3};
  std::vector<Tensor> products;
  for (std::size_t b = 0; b < groups.size(); ++b) {
    const int64_t numbers = subject.values(groups[b]).numel();
    std::vector<Tensor> rows;
    for (int64_t bits = 0; bits < 256; ++bits) {
      const Tensor shifts = at::arange(numbers, at::kLong);
      const Tensor v =
          (at::__rshift__(at::full({numbers}, bits, at::kLong), shifts).bitwise_and(1) * 2 - 1).to(at::kDouble);
      const auto a = subject.hessian_products(groups, b, v, first), c = subject.hessian_products(groups, b, v, second);
      std::vector<double> row;
      for (std::size_t j = 0; j < groups.size(); ++j) row.push_back(a[j].dot(c[j]).item<double>());
      rows.push_back(at::tensor(row, at::kDouble));
    }
    products.push_back(at::stack(rows));
  }
  const CurvatureStatistic statistic = curvature_of(products);
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j)
      EXPECT_NEAR(statistic.value[static_cast<int64_t>(i)][static_cast<int64_t>(j)].item<double>(),
                  closed_form(subject, groups[i].name, groups[j].name), 1e-10);
}

/// Central differences of gradients, of a loss that is quadratic.
TEST(CompensationCurvature, ProductsAreDifferencesOfGradients) {
  CountedSubject subject(linear_size(8));
  const std::vector<Group> groups = part_groups(subject.components());
  const std::vector<int64_t> examples{1, 4, 6};
  for (std::size_t b = 0; b < groups.size(); ++b) {
    const Tensor v = gauss({b, {}}, {subject.values(groups[b]).numel()}, at::kCPU).to(at::kDouble);
    const auto gradients_at = [&](double step) {
      CountedSubject moved(linear_size(8));
      int64_t at = 0;
      for (const Component& component : groups[b].components)
        for (double& number : moved.value().at(component)) number += step * v[at++].item<double>();
      return moved.gradients(groups, {}, examples);
    };
    const auto products = subject.hessian_products(groups, b, v, examples);
    const auto above = gradients_at(0.5), below = gradients_at(-0.5);
    for (std::size_t j = 0; j < groups.size(); ++j)
      EXPECT_LT((products[j] - (above[j] - below[j])).abs().max().item<double>(), 1e-10) << groups[j].name;
  }
}

/// Second derivatives that differ from sequence to sequence by much more than they are.
class NoisySubject : public CountedSubject {
 public:
  using CountedSubject::CountedSubject;
  double spread = 2;
  std::vector<Tensor> hessian_products(std::span<const Group> groups, std::size_t block, const Tensor& v,
                                       Examples examples) override {
    auto products = CountedSubject::hessian_products(groups, block, v, examples);
    for (std::size_t j = 0; j < groups.size(); ++j)
      for (int64_t example : examples) {
        const RandomKey key{stream_key(static_cast<uint64_t>(example), groups[block].name + "/" + groups[j].name), {}};
        products[j] += spread * gauss(key, {products[j].numel()}, at::kCPU) / static_cast<double>(examples.size());
      }
    return products;
  }
};

/// Layers that share no output: one batch squared would find the noise of the batch between them.
TEST(CompensationCurvature, TwoBatchesTakeTheirNoiseOut) {
  NoisySubject subject({2, 2, 4096, 0.3, Part::attention_router, false});
  subject.spread = 1;
  for (auto& [component, gains] : subject.gain())
    for (double& gain : gains) gain = 1 + 0.3 * std::tanh(gain);
  make_block_diagonal(subject);
  double sum = 0, squares = 0;
  int across = 0;
  for (const GraphEdge& edge : measure_curvature(subject, curvature_settings(32), {}).edges) {
    const bool from_first = edge.from.starts_with("0."), to_second = edge.to.starts_with("1.");
    if (!from_first || !to_second) continue;
    sum += edge.value;
    squares += edge.value * edge.value / (edge.standard_error * edge.standard_error);
    ++across;
  }
  ASSERT_EQ(across, 49);
  EXPECT_NEAR(sum / across, 0, 0.02);
  EXPECT_NEAR(squares / across, 1, 0.6);
}

/// Two held-out sequences can only change places, but every probe is measured for itself.
TEST(CompensationCurvature, ProbesAreCellsOfTheirOwn) {
  CountedSubject subject(linear_size(2));
  measure_curvature(subject, curvature_settings(8), {});
  EXPECT_EQ(subject.asked, 2 * 8 * 16);
}

TEST(CompensationCurvature, IsResumedBitForBit) {
  CompensationSettings settings = curvature_settings(2);
  settings.most_probes = 4;
  settings.precision = 1e-6;
  expect_resumes(
      [] { return NoisySubject(linear_size(32)); },
      [&](Subject& subject, const MeasureContext& context) { return measure_curvature(subject, settings, context); },
      71);
}

TEST(CompensationCurvature, ReadsMoreUntilItIsPreciseOrSaysSo) {
  CompensationSettings settings = curvature_settings(2);
  settings.most_probes = 7;
  settings.precision = 1e-3;
  NoisySubject subject(linear_size(32));
  const Measurement measured = measure_curvature(subject, settings, {});
  EXPECT_EQ(subject.asked, 2 * 7 * 16);
  ASSERT_EQ(measured.notes.size(), 1U);
  EXPECT_NE(measured.notes[0].find("precision 0.001 needs about"), std::string::npos) << measured.notes[0];
  EXPECT_EQ(measured.edges[0].samples, 14);
}

TEST(CompensationCurvature, NamesWhatHasNone) {
  CountedSubject subject(linear_size(6));
  subject.set_gain({1, Part::v, 0}, 0);
  const Measurement measured = measure_curvature(subject, curvature_settings(2), {});
  EXPECT_EQ(measured.edges.size(), 15U * 14 / 2);
  ASSERT_EQ(measured.notes.size(), 2U);
  EXPECT_NE(measured.notes[0].find("1.v"), std::string::npos);
  EXPECT_NE(measured.notes[1].find("3 sequences instead of 4"), std::string::npos) << measured.notes[1];
  CountedSubject alone(linear_size(1));
  EXPECT_THROW(measure_curvature(alone, curvature_settings(2), {}), UserError);
}

}  // namespace
}  // namespace absorb
