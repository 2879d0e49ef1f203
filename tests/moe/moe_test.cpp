// Experts: dispatch, combination and their agreement with a dense layer and with the concatenated form.
#include "moe/moe.h"

#include "moe/dispatch.h"
#include "tests/routing_fixture.h"

namespace absorb {
namespace {

using namespace testing;

struct Setting {
  Parameters parameters{1, at::kDouble};
  MoeSettings settings = [] {
    MoeSettings of;
    of.experts = 4;
    of.hidden = 6;
    return of;
  }();
  Moe moe{"experts", settings, {0, 8, 0, 0.5}, parameters.scope("experts")};
  Routes routes;

  explicit Setting(const std::string& selection) {
    routes.at["experts"] = make_route("experts", moe.task(),
                                      routing("router = { type = \"bilinear\", rank = 3 }\n" + selection), parameters);
    at::NoGradGuard no_grad;
    for (const Stored& stored : parameters.stored())  // biases too, so that they count
      if (stored.name.ends_with("bias")) stored.leaf.copy_(features(stored.leaf.sizes(), stored.name));
  }
  Tensor leaf(const std::string& name) const {
    for (const Stored& stored : parameters.stored())
      if (stored.name == name) return stored.leaf;
    throw std::runtime_error(name);
  }
  Tensor output(const Tensor& x) const {
    Pass pass;
    return moe(x, routes, pass);
  }
  Tensor expert(const Tensor& x, int64_t e) const {
    const Tensor in = leaf("experts.in").narrow(0, 6 * e, 6), out = leaf("experts.out").narrow(0, 6 * e, 6);
    const Tensor h = at::gelu(at::linear(x, in, leaf("experts.in_bias").narrow(0, 6 * e, 6)));
    return at::matmul(h, out) + leaf("experts.out_bias")[e];
  }
  Tensor by_hand(const Tensor& x) const {
    Pass pass;
    const Tensor w = weights((*routes.at.at("experts"))({x, {}, {}}, pass))[0].squeeze(0);
    Tensor y = at::zeros_like(x);
    for (int64_t e = 0; e < 4; ++e) y = y + expert(x, e) * w.select(-1, e).view({1, x.size(1), 1});
    return y;
  }
};

const std::vector<std::string>& selections() {
  static const std::vector<std::string> all = {
      "selection.type = \"always\"",
      "selection.type = \"soft\"",
      "selection.type = \"softmax\"",
      "selection = { type = \"top_k\", k = 1, weight = \"softmax\" }",
      "selection = { type = \"top_k\", k = 2, weight = \"softmax_kept\" }",
      "selection = { type = \"top_k\", k = 3, weight = \"sigmoid\", gradient = \"straight_through\" }"};
  return all;
}

TEST(MoeDispatch, CountingSortEqualsAStableSort) {
  Random random(3);
  Tensor kept = at::empty({50, 2}, at::kLong);
  for (int64_t i = 0; i < 50; ++i) {
    kept[i][0] = static_cast<int64_t>(random.below(3));
    kept[i][1] = 3 + static_cast<int64_t>(random.below(2));
  }
  const Dispatch counted = dispatch(kept, 6), sorted = dispatch_composition(kept, 6);
  EXPECT_TRUE(at::equal(counted.order, sorted.order));
  EXPECT_TRUE(at::equal(counted.inverse, sorted.inverse));
  EXPECT_EQ(counted.ends, sorted.ends);
  EXPECT_EQ(counted.ends.back(), 100);
  EXPECT_TRUE(at::equal(counted.order.index_select(0, counted.inverse), at::arange(100, at::kLong)));
}

TEST(MoeOutput, IsTheWeightedSumOfItsExperts) {
  const Tensor x = features({1, 9, 8});
  for (const std::string& selection : selections()) {
    const Setting s(selection);
    EXPECT_TRUE(at::allclose(s.output(x), s.by_hand(x), 1e-10, 1e-10)) << selection;
  }
}

TEST(MoeOutput, EqualExpertsUnderWeightsThatSumToOneAreTheDenseLayer) {
  const Tensor x = features({1, 9, 8});
  for (const std::string selection : {"selection.type = \"always\"", "selection.type = \"softmax\"",
                                      "selection = { type = \"top_k\", k = 2, weight = \"softmax_kept\" }",
                                      "selection = { type = \"top_k\", k = 3, weight = \"mean\" }"}) {
    const Setting s(selection);
    {
      at::NoGradGuard no_grad;
      for (const char* name : {"experts.in", "experts.out", "experts.in_bias"})
        for (int64_t e = 1; e < 4; ++e) s.leaf(name).narrow(0, 6 * e, 6).copy_(s.leaf(name).narrow(0, 0, 6));
      for (int64_t e = 1; e < 4; ++e) s.leaf("experts.out_bias")[e].copy_(s.leaf("experts.out_bias")[0]);
    }
    EXPECT_TRUE(at::allclose(s.output(x), s.expert(x, 0), 1e-10, 1e-10)) << selection;
  }
}

TEST(MoeGradient, AgreesWithCentralDifferences) {
  const Tensor x = features({1, 5, 8}), probe = features({1, 5, 8}, "probe");
  for (const std::string& selection : selections()) {
    if (selection.find("straight_through") != std::string::npos) continue;  // its derivative is another function's
    const Setting s(selection);
    const auto loss = [&] { return (s.output(x) * probe).sum(); };
    EXPECT_LT(gradient_error(loss, s.leaf("experts.in")), 1e-6) << selection;
    if (selection.find("always") == std::string::npos)
      EXPECT_LT(gradient_error(loss, s.leaf("experts.router.query")), 1e-6) << selection;
  }
}

TEST(MoeGradient, OfHardTopKWithoutGradientIsExactlyZero) {
  const Setting s("selection = { type = \"top_k\", k = 2, weight = \"softmax_kept\", gradient = \"none\" }");
  s.output(features({1, 5, 8})).sum().backward();
  EXPECT_FALSE(s.leaf("experts.router.query").grad().defined());
  EXPECT_GT(s.leaf("experts.in").grad().norm().item<double>(), 0);
}

}  // namespace
}  // namespace absorb
