#include "training/optimiser/rates.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "training/trainer.h"

namespace absorb {
namespace {

// q and k in one stored tensor, a router, a feed-forward layer; the loss pulls every number towards 1.
struct Fixture {
  explicit Fixture(TrainingSettings s = {}) : settings(std::move(s)), parameters(1) {
    const Init init = Init::normal(1);
    qk = parameters.scope("attention")
             .pack("qk", {2}, {{"q", {0, Part::q, 0}, 2, init}, {"k", {0, Part::k, 0}, 2, init}});
    router = parameters.scope("attention.router").add("w", {3}, init, {0, Part::attention_router, 0});
    other = parameters.add("out", {3}, init, {0, Part::feed_forward, 0});
    settings.batch = 1;
    settings.warmup = 0;
    settings.schedule = "constant";
    settings.weight_decay = 0;
    settings.learning_rate = 0.01;
    settings.accounts_every = 1;
    select_trained(parameters, settings);
    parameters.gather(at::kCPU);
  }
  StepResult step(Trainer& trainer) {
    const Batch batch{at::zeros({1, 1}, at::kLong), at::zeros({1, 1}, at::kLong)};
    return trainer.step(std::span(&batch, 1));
  }
  Trainer trainer() {
    return Trainer(
        parameters,
        [this](const Batch&, Pass&) {
          return ((qk - 1).square().sum() + (other - 1).square().sum() + (router * 0).sum()).view({1, 1});
        },
        settings, 1);
  }
  TrainingSettings settings;
  Parameters parameters;
  Tensor qk, router, other;
};

TEST(TrainingRates, OnlyTheChosenSlicesTrain) {
  TrainingSettings s;
  s.train = {"*attention.k", "out"};
  Fixture f(s);
  const Tensor before = f.qk.detach().clone(), router = f.router.detach().clone(), out = f.other.detach().clone();
  Trainer trainer = f.trainer();
  const StepResult result = f.step(trainer);
  EXPECT_TRUE(at::equal(f.qk.narrow(0, 0, 2), before.narrow(0, 0, 2)));  // q shares k's storage, and stays
  EXPECT_FALSE(at::equal(f.qk.narrow(0, 2, 2), before.narrow(0, 2, 2)));
  EXPECT_TRUE(at::equal(f.router, router));
  EXPECT_FALSE(at::equal(f.other, out));
  // What doesn't train has no part in the norm that clipping sees.
  const Tensor seen = at::cat({(2 * (before.narrow(0, 2, 2) - 1)).flatten(), 2 * (out - 1)});
  EXPECT_NEAR(result.grad_norm.item<double>(), seen.norm().item<double>(), 1e-5);
}

TEST(TrainingRates, FreezeThawAndRatiosActInTheirTime) {
  TrainingSettings s;
  s.freeze = {{"*attention.q", 2}};
  s.thaw = {{"*attention.k", 2}};
  s.rates = {{"out", 0.5}};
  Fixture f(s);
  Trainer trainer = f.trainer();
  for (int64_t step = 1; step <= 4; ++step) {
    const Tensor qk = f.qk.detach().clone(), out = f.other.detach().clone();
    f.step(trainer);
    EXPECT_EQ(at::equal(f.qk.narrow(0, 0, 2), qk.narrow(0, 0, 2)), step > 2) << step;
    EXPECT_EQ(at::equal(f.qk.narrow(0, 2, 2), qk.narrow(0, 2, 2)), step <= 2) << step;
    // Adam's first step is the rate itself, in the direction of the gradient.
    if (step == 1) EXPECT_NEAR((f.other - out).abs().max().item<double>(), 0.005, 1e-5);
  }
}

TEST(TrainingRates, APatternThatFitsNothingIsRefused) {
  TrainingSettings s;
  s.freeze = {{"*attention.querry", 0}};
  EXPECT_THROW(Fixture{s}, UserError);
  EXPECT_TRUE(fits("blocks.*.attention.[qk]", "blocks.3.attention.k"));
  EXPECT_FALSE(fits("blocks.*.attention.[qk]", "blocks.3.attention.v"));
}

TEST(TrainingAccounts, NameEveryPartAndFlagExactZeros) {
  Fixture f;
  Trainer trainer = f.trainer();
  const Tensor qk = f.qk.detach().clone();
  nlohmann::json line;
  write_account(f.step(trainer).account, line);
  EXPECT_NEAR(line.at("grad_norm/q").get<double>(), (2 * (qk.narrow(0, 0, 2) - 1)).norm().item<double>(), 1e-5);
  EXPECT_EQ(line.at("grad_norm/attention_router"), 0);
  EXPECT_EQ(line.at("zero_gradient"), nlohmann::json({"attention_router"}));
  EXPECT_EQ(line.at("router_displacement"), 0);  // no gradient, no decay: it didn't move
}

}  // namespace
}  // namespace absorb
