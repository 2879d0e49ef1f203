// What changes between steps without a gradient: draws at their steps, lags of exactly as many steps, and the same
// after a resumption.
#include "training/optimiser/following.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"

namespace absorb {
namespace {

constexpr Component router{0, Part::attention_router, 0};

// A router of two numbers, and what follows it.
struct Setting {
  Parameters parameters{3};
  Tensor own, follows;
  Setting(int64_t redraw_every, int64_t lag) {
    const Parameters scope = parameters.scope("a").scope("router");
    own = (redraw_every > 0 ? scope.frozen() : scope).add("w", {2, 3}, Init::normal(0.5), router);
    follows = parameters.scope("a")
                  .scope("choose")
                  .following(scope, redraw_every, lag)
                  .add("w", {2, 3}, Init::normal(0.5), router);
    parameters.gather(at::kCPU);
  }
  // As a step of training would.
  void train(int64_t step) const {
    at::NoGradGuard no_grad;
    own.fill_(static_cast<double>(step));
  }
};

TEST(TrainingFollowing, DrawsAnewAtTheirStepsAndBeginsWithTheFrozenDraw) {
  const Setting s(3, 0);
  Following following(s.parameters);
  EXPECT_TRUE(at::equal(s.own, s.follows));
  std::vector<Tensor> seen;
  for (int64_t step = 1; step <= 9; ++step) {
    EXPECT_EQ(following.before(step), step == 4 || step == 7) << step;
    seen.push_back(s.follows.detach().clone());
  }
  for (std::size_t i = 1; i < seen.size(); ++i) EXPECT_EQ(at::equal(seen[i], seen[i - 1]), i != 3 && i != 6) << i;
  // A draw is a function of the step: going on elsewhere gives the same.
  const Setting fresh(3, 0);
  Following elsewhere(fresh.parameters);
  elsewhere.before(7);
  EXPECT_TRUE(at::equal(fresh.follows, s.follows));
}

TEST(TrainingFollowing, DrawsHaveTheRoutersOwnDistribution) {
  const Parameters parameters(5), scope = parameters.scope("r");
  const Tensor w = scope.following(scope, 1, 0).add("w", {400, 50}, Init::normal(0.3), router);
  parameters.gather(at::kCPU);
  Following following(parameters);
  const Tensor first = w.detach().clone();
  ASSERT_TRUE(following.before(2));
  EXPECT_NEAR(w.std().item<double>(), 0.3, 0.005);
  EXPECT_NEAR(w.mean().item<double>(), 0, 0.01);
  EXPECT_NEAR((w.detach() * first).mean().item<double>(), 0, 0.002);  // independent of the draw before
}

TEST(TrainingFollowing, LagsBySoManySteps) {
  for (const int64_t lag : {1, 2, 7, 50}) {
    const Setting s(0, lag);
    const Tensor initial = s.own.detach().clone();
    Following following(s.parameters);
    for (int64_t step = 1; step <= 2 * lag + 5; ++step) {
      following.before(step);
      // After step - 1 steps the router holds step - 1; the copy what it held `lag` steps before.
      const int64_t then = step - 1 - lag;
      if (then <= 0)
        EXPECT_TRUE(at::equal(s.follows, initial)) << lag << ' ' << step;
      else
        EXPECT_EQ(s.follows[0][0].item<double>(), static_cast<double>(then)) << lag << ' ' << step;
      s.train(step);
    }
  }
}

TEST(TrainingFollowing, LongLagsAreAtMostTwoPercentLonger) {
  const Setting s(0, 1000);
  Following following(s.parameters);
  for (int64_t step = 1; step <= 2500; ++step) {
    following.before(step);
    if (step > 1100) {
      const double age = static_cast<double>(step - 1) - s.follows[0][0].item<double>();
      ASSERT_GE(age, 1000) << step;
      ASSERT_LT(age, 1020) << step;
    }
    s.train(step);
  }
}

TEST(TrainingFollowing, GoesOnAfterACheckpoint) {
  const Setting whole(0, 5), cut(0, 5);
  Following one(whole.parameters), first(cut.parameters);
  for (int64_t step = 1; step <= 30; ++step) {
    one.before(step);
    whole.train(step);
    if (step > 12) continue;
    first.before(step);
    cut.train(step);
  }
  Following second(cut.parameters);
  std::map<std::string, Tensor> saved;
  for (const auto& [name, tensor] : first.state()) saved[name] = tensor.clone();
  ASSERT_EQ(saved.count("choice_history.5"), 1U);
  second.load(saved);
  for (int64_t step = 13; step <= 30; ++step) {
    second.before(step);
    cut.train(step);
  }
  EXPECT_TRUE(at::equal(whole.follows, cut.follows));
  EXPECT_THROW(second.load({}), UserError);
}

TEST(TrainingFollowing, CopiesAreNoParametersOfTheModel) {
  const Setting with(0, 5);
  EXPECT_EQ(with.parameters.counts().router, 6);
  EXPECT_EQ(with.parameters.counts().unique, 6);
}

}  // namespace
}  // namespace absorb
