// The closed vocabulary: budgets, ties, weights and their gradients.
#include "tests/routing_fixture.h"

namespace absorb {
namespace {

using namespace testing;

TEST(RoutingTopK, SelectionByRowEqualsItsDefinitionBitForBit) {
  // Scores on a coarse grid, so that ties are everywhere.
  const Tensor scores = (features({3, 2, 17, 17}, "grid", at::kFloat) * 2).round() / 2;
  for (const Visible visible : {Visible::all, Visible::causal, Visible::causal_late})
    for (const bool self : {false, true})
      for (const int64_t k : {1, 4, 16, 17}) {
        const KeepTop fast = top_k(scores, k, visible, self), slow = top_k_composition(scores, k, visible, self);
        EXPECT_TRUE(at::equal(fast.threshold, slow.threshold)) << k;
        EXPECT_TRUE(at::equal(fast.last, slow.last)) << k;
      }
}

TEST(RoutingTopK, KeepsExactlyKOfTheVisibleAndTheSelfAmongThem) {
  const Tensor s = (features({2, 2, 12, 12}, "grid", at::kFloat)).round();
  for (const bool self : {false, true}) {
    Routing routing{scores_of(s), top_k(s, 4, Visible::causal, self), Weight::one, Gradient::none, Visible::causal};
    const Tensor kept = keep_mask(routing, s).sum(-1);  // [2,2,12]
    for (int64_t t = 0; t < 12; ++t)
      EXPECT_TRUE((kept.select(-1, t) == std::min<int64_t>(t + 1, 4)).all().item<bool>());
    if (self) EXPECT_TRUE(keep_mask(routing, s).diagonal(0, -2, -1).all().item<bool>());
  }
}

TEST(RoutingTopK, TheLowestIndexWinsTies) {
  const Tensor s = at::zeros({1, 1, 1, 6});
  Routing routing{scores_of(s), top_k(s, 2, Visible::all, false), Weight::one, Gradient::none, Visible::all};
  EXPECT_TRUE(at::equal(weights(routing)[0][0][0], at::tensor({1.f, 1.f, 0.f, 0.f, 0.f, 0.f})));
  EXPECT_TRUE(at::equal(kept_choices(routing), at::tensor({0, 1}, at::kLong).view({1, 2})));
}

TEST(RoutingTopK, LateCausalityWastesTheBudgetOnTheFuture) {
  const Tensor s = at::arange(6, at::kFloat).expand({1, 1, 6, 6});  // the last keys score highest
  Routing late{scores_of(s), top_k(s, 2, Visible::causal_late, false), Weight::one, Gradient::none,
               Visible::causal_late};
  const Tensor kept = keep_mask(late, s)[0][0].sum(-1);
  EXPECT_TRUE(at::equal(kept, at::tensor({0, 0, 0, 0, 1, 2}, at::kLong)));
}

TEST(RoutingTopK, NanScoresAreNeverPreferred) {
  Tensor s = at::zeros({1, 1, 1, 4});
  s[0][0][0][0] = std::nan("");
  const KeepTop keep = top_k(s, 2, Visible::all, false);
  EXPECT_EQ(keep.threshold.item<float>(), 0);
}

TEST(RoutingWeights, SumAsTheyShould) {
  const Tensor s = features({2, 2, 6, 6});
  const auto sums = [&](Weight weight, bool budgeted) {
    Routing routing{scores_of(s), KeepAll{}, weight, Gradient::weights, Visible::causal};
    if (budgeted) routing.keep = top_k(s, 2, Visible::causal, false);
    return weights(routing).sum(-1);
  };
  for (const Weight weight : {Weight::softmax_kept, Weight::mean})
    EXPECT_TRUE(at::allclose(sums(weight, true), at::ones({2, 2, 6}, at::kDouble)));
  EXPECT_TRUE(at::allclose(sums(Weight::softmax, false), at::ones({2, 2, 6}, at::kDouble)));
  EXPECT_TRUE((sums(Weight::softmax, true) <= 1 + 1e-12).all().item<bool>());
  EXPECT_LT(sums(Weight::softmax, true).min().item<double>(), 0.95);  // as they are: not renormalised
}

TEST(RoutingWeights, LogWeightsAreTheirLogarithmsUpToAFactorPerItem) {
  const Tensor s = features({2, 2, 6, 6});
  for (const Weight weight : {Weight::one, Weight::sigmoid, Weight::softmax, Weight::softmax_kept}) {
    const Routing routing{scores_of(s), top_k(s, 3, Visible::causal, true), weight, Gradient::weights, Visible::causal};
    const Tensor w = weights(routing, s), l = log_weights(routing, s).exp();
    EXPECT_TRUE(at::allclose(w / w.sum(-1, true), l / l.sum(-1, true), 1e-10, 1e-12));
  }
}

TEST(RoutingGradients, AgreeWithCentralDifferences) {
  const Tensor probe = features({2, 1, 6, 6}, "probe");
  for (const Weight weight : {Weight::sigmoid, Weight::softmax, Weight::softmax_kept})
    for (const bool budgeted : {false, true}) {
      const Tensor s = features({2, 1, 6, 6}, "gradient").requires_grad_();
      const auto loss = [&] {
        Routing routing{scores_of(s), KeepAll{}, weight, Gradient::weights, Visible::causal};
        if (budgeted) routing.keep = top_k(s, 3, Visible::causal, false);
        return (weights(routing) * probe).sum();
      };
      EXPECT_LT(gradient_error(loss, s), 1e-6);
    }
}

TEST(RoutingGradients, NoneIsExactlyZeroAndStraightThroughIsItsSurrogate) {
  const Tensor probe = features({2, 1, 6, 6}, "probe");
  const Tensor s = features({2, 1, 6, 6}, "gradient").requires_grad_();
  const KeepTop keep = top_k(s, 2, Visible::causal, false);
  const Routing none{scores_of(s), keep, Weight::sigmoid, Gradient::none, Visible::causal};
  EXPECT_FALSE(weights(none).requires_grad());

  Routing through = none;
  through.gradient = Gradient::straight_through;
  EXPECT_TRUE(at::equal(weights(through), weights(none)));
  (weights(through) * probe).sum().backward();
  const Tensor got = s.grad().clone();
  s.mutable_grad() = Tensor();
  (weights(softened(none)) * probe).sum().backward();
  EXPECT_TRUE(at::equal(got, s.grad()));
}

TEST(RoutingCounts, CountEveryKeptChoice) {
  const Tensor s = features({4, 1, 32, 8}, "counts");
  const Routing routing{scores_of(s), top_k(s, 2, Visible::all, false), Weight::one, Gradient::none, Visible::all};
  const Tensor by_hand = at::one_hot(kept_choices(routing), 8).sum(at::IntArrayRef{0, 1}).to(at::kDouble);
  EXPECT_TRUE(at::equal(counts(routing)[0], by_hand));
  EXPECT_EQ(counts(routing).sum().item<double>(), 4 * 32 * 2);
}

}  // namespace
}  // namespace absorb
