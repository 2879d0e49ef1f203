#include "tensors/parameters.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"

namespace absorb {
namespace {

TEST(CoreParameters, InitialValuesBelongToTheNameNotToTheOrderOrThePacking) {
  const Component q{0, Part::q, 0}, k{0, Part::k, 0};
  const Parameters packed(3), single(3);
  packed.add("router", {5}, Init::normal(1), {0, Part::attention_router, 0});
  const Tensor both =
      packed.scope("a").pack("qk", {4}, {{"q", q, 2, Init::normal(0.02)}, {"k", k, 3, Init::normal(0.02)}});
  const Tensor alone = single.scope("a").add("k", {3, 4}, Init::normal(0.02), k);
  EXPECT_TRUE(at::equal(both.narrow(0, 2, 3), alone));
  EXPECT_FALSE(at::equal(alone, Parameters(4).scope("a").add("k", {3, 4}, Init::normal(0.02), k)));
}

TEST(CoreParameters, GatherMakesLeavesViewsOfOneBuffer) {
  const Parameters parameters(1);
  const Tensor a = parameters.add("a", {2, 3}, Init::normal(1), {0, Part::q, 0});
  parameters.frozen().add("b", {4}, Init::ones(), {0, Part::attention_router, 0});
  const Tensor c = parameters.add("c", {5}, Init::zeros(), {0, Part::v, 0});
  const Tensor before = a.clone();
  parameters.gather(at::kCPU);
  EXPECT_TRUE(at::equal(a, before));
  (a.sum() + 2 * c.sum()).backward();
  EXPECT_EQ(parameters.flat().numel(), 15);
  EXPECT_TRUE(at::equal(parameters.flat_gradient(), at::cat({at::ones({6}), at::zeros({4}), at::full({5}, 2.0)})));
  std::vector<std::pair<int64_t, int64_t>> trained;
  parameters.each_slice([&](const Slice& slice, int64_t begin, int64_t end) {
    if (slice.trained) trained.emplace_back(begin, end);
  });
  EXPECT_EQ(trained, (std::vector<std::pair<int64_t, int64_t>>{{0, 6}, {10, 15}}));
  at::NoGradGuard no_grad;
  parameters.flat().fill_(7);
  EXPECT_EQ(a.sum().item<float>(), 42);
}

TEST(CoreParameters, LiesDownNextToWhatItSharesItsInputWith) {
  const Parameters p(1);
  const Init init = Init::normal(1);
  p.pack("0.qkv", {4}, {{"0.q", {0, Part::q, 0}, 4, init}, {"0.k", {0, Part::k, 0}, 4, init}}, "0");
  p.add("0.o", {4, 4}, init, {0, Part::o, 0});
  p.pack("1.qkv", {4}, {{"1.q", {1, Part::q, 0}, 4, init}}, "1");
  p.add("0.query", {2, 4}, init, {0, Part::attention_router, 0}, "0");
  p.add("0.other", {2, 4}, init, {0, Part::attention_router, 0});  // of another input, though as wide
  p.add("1.key", {2, 4}, init, {1, Part::attention_router, 0}, "1");
  p.add("0.key", {2, 4}, init, {0, Part::attention_router, 0}, "0");
  p.gather(at::kCPU);
  std::vector<std::string> names;
  int64_t end = 0;
  for (const Stored& stored : p.stored()) {
    names.push_back(stored.name);
    EXPECT_EQ(stored.offset, end) << stored.name;
    end += stored.leaf.numel();
  }
  EXPECT_EQ(names, (std::vector<std::string>{"0.qkv", "0.query", "0.key", "0.o", "1.qkv", "1.key", "0.other"}));
}

TEST(CoreParameters, RowsOfAnotherLengthMultiplyAnotherInput) {
  const Parameters p(1);
  p.add("a", {2, 4}, Init::zeros(), {}, "x");
  p.add("b", {2, 3}, Init::zeros(), {}, "x");
  EXPECT_THROW(p.gather(at::kCPU), InternalError);
}

TEST(CoreParameters, CountsUnderFourDenominators) {
  const Parameters p(1);
  p.count_only();
  p.add("token", {10, 4}, Init::normal(1), {-1, Part::embedding, 0});
  p.add("position", {3, 4}, Init::normal(1), {-1, Part::embedding, 1});
  p.add("q", {4, 4}, Init::normal(1), {0, Part::q, 0});
  p.add("o", {4, 4}, Init::normal(1), {0, Part::o, 0});
  p.frozen().add("router", {2, 4}, Init::normal(1), {0, Part::attention_router, 0});
  const ParameterCounts c = p.counts();
  EXPECT_EQ(c.unique, 40 + 12 + 16 + 16 + 8);
  EXPECT_EQ(c.untied, c.unique + 40);
  EXPECT_EQ(c.non_embedding, 40);
  EXPECT_EQ(c.module, 16);
  EXPECT_EQ(c.router, 8);
  EXPECT_EQ(c.trained, c.unique - 8);
}

TEST(CoreParameters, ANameCanBeTakenOnce) {
  const Parameters p(1);
  p.add("a", {1}, Init::zeros(), {});
  EXPECT_THROW(p.add("a", {1}, Init::zeros(), {}), InternalError);
}

TEST(CoreComponent, NamesGoBothWays) {
  for (const Component c : {Component{3, Part::q, 0}, Component{2, Part::expert, 5}, Component{-1, Part::embedding, 0},
                            Component{0, Part::attention_router, 0}, Component{-1, Part::norm, 0}})
    EXPECT_EQ(component_from_string(to_string(c)), c) << to_string(c);
  EXPECT_EQ(to_string(Component{2, Part::expert, 5}), "2.expert.5");
  EXPECT_THROW(component_from_string("2.quux"), UserError);
}

}  // namespace
}  // namespace absorb
