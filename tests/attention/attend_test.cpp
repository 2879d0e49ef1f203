// Attention under routing: dense is dense bit for bit, each way of applying weights is its formula, gradients are
// right.
#include "attention/attend.h"

#include "tests/routing_fixture.h"

namespace absorb {
namespace {

using namespace testing;

struct Setting {
  Tensor x = features({2, 6, 8}), q = features({2, 2, 6, 4}, "q"), k = features({2, 2, 6, 4}, "k"),
         v = features({2, 2, 6, 4}, "v");
  Parameters parameters{1, at::kDouble};
  std::shared_ptr<const Route> route;
  Apply apply = Apply::log_bias;

  explicit Setting(const std::string& selection, const std::string& how = "log_bias")
      : route(make_route("site", attention_task(),
                         routing("router = { type = \"bilinear\", rank = 3 }\napply = \"" + how + "\"\n" + selection),
                         parameters)),
        apply(apply_named(how)) {}
  AttendInput input() const { return {q, k, v, apply, 0, "site"}; }
  Routing routed() const {
    Pass pass;
    return (*route)({x, x, {}}, pass);
  }
  Tensor output() const {
    const Routing r = routed();
    return attend(input(), &r, {}).view({2, 6, 2, 4}).transpose(1, 2);
  }
};

Tensor dense_output(const Setting& s) {
  return attend(s.input(), nullptr, {}).view({2, 6, 2, 4}).transpose(1, 2);
}

Tensor causal_softmax(const Tensor& logits) {
  const Tensor mask = at::ones({6, 6}, at::kBool).tril().logical_not();
  return logits.masked_fill(mask, -std::numeric_limits<double>::infinity()).softmax(-1);
}

TEST(AttentionAlways, EqualsDenseAttentionBitForBit) {
  const Setting s("selection.type = \"always\"");
  EXPECT_TRUE(at::equal(s.output(), dense_output(s)));
}

TEST(AttentionDense, IsCausalSoftmaxAttention) {
  const Setting s("selection.type = \"always\"");
  const Tensor by_hand = at::matmul(causal_softmax(at::matmul(s.q, s.k.transpose(-2, -1)) / 2), s.v);
  EXPECT_TRUE(at::allclose(dense_output(s), by_hand, 1e-10, 1e-10));
}

TEST(AttentionApply, IsItsFormula) {
  const Tensor one = at::ones({1}, at::kDouble);
  for (const std::string how : {"scale_logits", "log_bias", "post_softmax"}) {
    const Setting s("selection.type = \"soft\"", how);
    const Tensor w = dense(s.routed().scores).sigmoid(), logits = at::matmul(s.q, s.k.transpose(-2, -1)) / 2;
    Tensor p;
    if (how == "scale_logits")
      p = causal_softmax(logits * w);
    else if (how == "post_softmax")
      p = causal_softmax(logits) * w;
    else {
      p = (logits.exp() * w).tril();
      p = p / p.sum(-1, true);
    }
    EXPECT_TRUE(at::allclose(s.output(), at::matmul(p, s.v), 1e-10, 1e-10)) << how;
  }
}

TEST(AttentionTopK, ExcludesEveryKeyThatIsNotKept) {
  for (const std::string how : {"scale_logits", "log_bias", "post_softmax"})
    for (const std::string weight : {"one", "sigmoid", "softmax", "softmax_kept"}) {
      const Setting s("selection = { type = \"top_k\", k = 2, weight = \"" + weight + "\" }", how);
      const Routing r = s.routed();
      const Tensor p = attention_weights(s.input(), r), kept = keep_mask(r, dense(r.scores));
      EXPECT_EQ(p.masked_select(kept.logical_not()).abs().max().item<double>(), 0) << how << weight;
      EXPECT_TRUE((p.masked_select(kept) > 0).all().item<bool>()) << how << weight;
    }
}

TEST(AttentionTopK, LateCausalityLeavesEarlyQueriesAtZeroWithoutNan) {
  Setting s("selection = { type = \"top_k\", k = 1, weight = \"sigmoid\", self = false, order = \"causal_late\" }",
            "scale_logits");
  s.x.requires_grad_();
  const Tensor y = s.output();
  EXPECT_FALSE(y.isnan().any().item<bool>());
  y.sum().backward();
  EXPECT_FALSE(s.x.grad().isnan().any().item<bool>());
  const Routing r = s.routed();
  const Tensor empty = keep_mask(r, dense(r.scores)).any(-1).logical_not();
  ASSERT_TRUE(empty.any().item<bool>());
  EXPECT_EQ(y.masked_select(empty.unsqueeze(-1)).abs().max().item<double>(), 0);
}

TEST(AttentionGradient, OfRouterWeightsAgreesWithCentralDifferences) {
  const Tensor probe = features({2, 2, 6, 4}, "probe");
  for (const std::string how : {"scale_logits", "log_bias", "post_softmax"})
    for (const std::string selection : {"selection.type = \"soft\"", "selection.type = \"softmax\"",
                                        "selection = { type = \"top_k\", k = 3, weight = \"sigmoid\" }",
                                        "selection = { type = \"top_k\", k = 3, weight = \"softmax_kept\" }"}) {
      const Setting s(selection, how);
      const auto loss = [&] { return (s.output() * probe).sum(); };
      EXPECT_LT(gradient_error(loss, s.parameters.stored()[0].leaf), 1e-6) << how << " " << selection;
    }
}

TEST(AttentionGradient, OfHardTopKWithoutGradientIsExactlyZero) {
  const Setting s("selection = { type = \"top_k\", k = 3, weight = \"one\", gradient = \"none\" }");
  Tensor q = s.q;
  q.requires_grad_();
  s.output().sum().backward();
  for (const Stored& stored : s.parameters.stored()) EXPECT_FALSE(stored.leaf.grad().defined());
}

TEST(AttentionStraightThrough, HasTheHardValueAndTheSoftDerivative) {
  const Setting hard("selection = { type = \"top_k\", k = 3, weight = \"sigmoid\", gradient = \"none\" }");
  const Setting through(
      "selection = { type = \"top_k\", k = 3, weight = \"sigmoid\", gradient = \"straight_through\" }");
  const Setting soft("selection.type = \"soft\"");
  EXPECT_TRUE(at::allclose(through.output(), hard.output(), 1e-12, 1e-12));
  // The surrogate: the loss's derivative at the hard value, the probabilities' derivative of the soft ones.
  const Tensor probe = features({2, 2, 6, 6}, "probe");
  (attention_weights(through.input(), through.routed()) * probe).sum().backward();
  (attention_weights(soft.input(), soft.routed()) * probe).sum().backward();
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_TRUE(at::equal(through.parameters.stored()[i].leaf.grad(), soft.parameters.stored()[i].leaf.grad()));
}

TEST(AttentionCausality, NoOutputFeelsALaterItem) {
  for (const std::string selection : {"selection.type = \"soft\"", "selection.type = \"softmax\"",
                                      "selection = { type = \"top_k\", k = 2, weight = \"sigmoid\" }"}) {
    Setting s(selection);
    const Tensor before = s.output().clone();
    for (Tensor* t : {&s.q, &s.k, &s.v}) t->select(2, 5).add_(1);
    s.x.select(1, 5).add_(1);
    const Tensor after = s.output();
    EXPECT_TRUE(at::equal(before.narrow(2, 0, 5), after.narrow(2, 0, 5))) << selection;
    EXPECT_FALSE(at::equal(before.select(2, 5), after.select(2, 5))) << selection;
  }
}

}  // namespace
}  // namespace absorb
