// A linear subject that counts what the gradient-based measures ask of it, and can be killed in the middle; and what
// their tests share.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "compensation/measures/measurement.h"
#include "tests/compensation/linear_subject.h"

namespace absorb {

class CountedSubject : public LinearSubject {
 public:
  using LinearSubject::LinearSubject;

  int64_t examples_read = 0, asked = 0;
  int64_t kill_at = -1;  // the call of this number throws

  std::vector<Tensor> example_gradients(std::span<const Group> groups, Examples examples, int64_t dimension) override {
    count(examples);
    return LinearSubject::example_gradients(groups, examples, dimension);
  }
  std::vector<Tensor> gradients(std::span<const Group> groups, const Disturbance& disturbance,
                                Examples examples) override {
    count(examples);
    return LinearSubject::gradients(groups, disturbance, examples);
  }
  std::vector<Tensor> hessian_products(std::span<const Group> groups, std::size_t block, const Tensor& v,
                                       Examples examples) override {
    count(examples);
    return LinearSubject::hessian_products(groups, block, v, examples);
  }
  Tensor direct_effects(std::optional<std::size_t> ablated, Examples examples) override {
    count(examples);
    return LinearSubject::direct_effects(ablated, examples);
  }
  std::vector<double> ablated_losses(std::span<const std::size_t> ablated, Examples examples) override {
    count(examples);
    return LinearSubject::ablated_losses(ablated, examples);
  }

 protected:
  void count(Examples examples) {
    if (asked++ == kill_at) throw std::runtime_error("killed");
    examples_read += static_cast<int64_t>(examples.size());
  }
};

/// Independent signs times `scale` instead of a linear subject's noise.
inline void make_noise_signs(LinearSubject& subject, double scale) {
  Random random(stream_key(7, "signs"));
  for (auto& row : subject.noise())
    for (double& number : row) number = random.below(2) == 0 ? scale : -scale;
}

inline const GraphEdge& edge_of(const Measurement& measurement, const std::string& from, const std::string& to,
                                const std::string& measure) {
  for (const GraphEdge& edge : measurement.edges)
    if (edge.from == from && edge.to == to && edge.measure == measure) return edge;
  throw std::runtime_error("no edge from " + from + " to " + to);
}

/// [all numbers of the group's components] J of the node with this name.
inline Tensor jacobian_of(const LinearSubject& subject, const std::string& node) {
  for (const Group& group : part_groups(subject.components()))
    if (group.name == node) return subject.jacobian(group.components);
  throw std::runtime_error("no node " + node);
}

inline void expect_same_bits(const Measurement& a, const Measurement& b) {
  ASSERT_EQ(a.edges.size(), b.edges.size());
  for (std::size_t e = 0; e < a.edges.size(); ++e) {
    EXPECT_EQ(a.edges[e].from + a.edges[e].to, b.edges[e].from + b.edges[e].to);
    EXPECT_EQ(std::bit_cast<uint64_t>(a.edges[e].value), std::bit_cast<uint64_t>(b.edges[e].value));
    EXPECT_EQ(std::bit_cast<uint64_t>(a.edges[e].standard_error), std::bit_cast<uint64_t>(b.edges[e].standard_error));
    EXPECT_EQ(a.edges[e].samples, b.edges[e].samples);
  }
  EXPECT_EQ(a.details.dump(), b.details.dump());
  EXPECT_EQ(a.notes, b.notes);
  EXPECT_EQ(a.identity, b.identity);
}

/// Kills `measure` at its subject's call number `kill_at`, resumes it with another subject and holds the result against
/// one that was never killed; a third run asks nothing.
template <class Make, class Measure>
void expect_resumes(Make make, Measure measure, int64_t kill_at) {
  const Path cache = Path(::testing::TempDir()) / ("resume-" + std::to_string(::getpid()));
  std::filesystem::remove_all(cache);
  MeasureContext context;
  const Measurement whole = [&] {
    auto subject = make();
    return measure(subject, context);
  }();
  context.cache = cache;
  auto killed = make();
  killed.kill_at = kill_at;
  EXPECT_THROW(measure(killed, context), std::runtime_error);
  auto resumed = make();
  expect_same_bits(measure(resumed, context), whole);
  EXPECT_GT(resumed.asked, 0);
  auto again = make();
  const Measurement cached = measure(again, context);
  expect_same_bits(cached, whole);
  EXPECT_EQ(again.asked, 0);
  EXPECT_EQ(cached.seconds, 0);
  auto fresh = make();
  MeasureContext none;
  measure(fresh, none);
  EXPECT_LT(resumed.asked, fresh.asked);  // what the killed one had finished wasn't done again
  std::filesystem::remove_all(cache);
}

}  // namespace absorb
