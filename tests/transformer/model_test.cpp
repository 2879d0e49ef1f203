// The whole model: shared initial values, causality, targets, and the bits that must not move between arms.
#include "transformer/model.h"

#include "core/error.h"
#include "tests/routing_fixture.h"

namespace absorb {
namespace {

using namespace testing;

ModelSettings tiny() {
  ModelSettings settings;
  settings.layers = 2;
  settings.width = 16;
  settings.heads = 2;
  settings.context = 12;
  settings.moe.experts = 4;
  return settings;
}

struct Built {
  Parameters parameters;
  Model model;
  Routes routes;
  Built(const std::string& target, const std::string& toml, uint64_t seed = 1, ModelSettings settings = tiny())
      : parameters(seed),
        model(settings, 20, target_named(target).moe, parameters),
        routes(make_routes(model, target_named(target), routing(toml), routing(toml), parameters)) {
    parameters.gather(at::kCPU);
  }
  Tensor losses(const Tensor& tokens, const Routes& with) const {
    Pass pass;
    return model.losses(tokens.narrow(1, 0, 12), tokens.narrow(1, 1, 12), with, pass);
  }
  Tensor losses(const Tensor& tokens) const { return losses(tokens, routes); }
};

Tensor some_tokens(int64_t batch = 3) {
  Random random(5);
  Tensor tokens = at::empty({batch, 13}, at::kLong);
  for (int64_t i = 0; i < tokens.numel(); ++i) tokens.view({-1})[i] = static_cast<int64_t>(random.below(20));
  return tokens;
}

constexpr const char* soft = "router = { type = \"bilinear\", rank = 4 }\nselection.type = \"soft\"";
constexpr const char* hard = "router = { type = \"bilinear\", rank = 4 }\nselection = { type = \"top_k\", k = 2 }";

TEST(TransformerInit, SharedParametersAreBitwiseEqualBetweenArmsAndTargets) {
  const Built dense("dense", soft), both("both", soft), frozen("both", std::string("frozen = true\n") + hard);
  std::map<std::string, Tensor> values;
  for (const Stored& stored : both.parameters.stored()) values[stored.name] = stored.leaf;
  int shared = 0;
  for (const Built* other : {&dense, &frozen})
    for (const Stored& stored : other->parameters.stored()) {
      if (!values.contains(stored.name)) continue;
      ++shared;
      EXPECT_TRUE(at::equal(values[stored.name], stored.leaf)) << stored.name;
    }
  EXPECT_GT(shared, 30);
}

TEST(TransformerTargets, AlwaysAttentionEqualsDenseBitForBit) {
  const Built dense("dense", soft), always("attention", "router.type = \"bilinear\"\nselection.type = \"always\"");
  EXPECT_TRUE(at::equal(dense.losses(some_tokens()), always.losses(some_tokens())));
}

TEST(TransformerTargets, RoutesAreAnArgument) {
  const Built both("both", hard), other("both", hard, 2);
  const Tensor tokens = some_tokens(), native = both.losses(tokens);
  EXPECT_TRUE(at::equal(both.losses(tokens, both.routes), native));    // identity transplant
  EXPECT_FALSE(at::equal(both.losses(tokens, other.routes), native));  // another run's routes
  const Routes one = both.routes.with("blocks.0.attention", other.routes.at.at("blocks.0.attention"));
  EXPECT_FALSE(at::equal(both.losses(tokens, one), native));
  EXPECT_TRUE(at::equal(both.losses(tokens), native));  // and nothing had to be restored
}

TEST(TransformerCausality, NoLossFeelsALaterToken) {
  for (const char* toml : {soft, hard}) {
    const Built both("both", toml);
    Tensor tokens = some_tokens();
    const Tensor before = both.losses(tokens);
    tokens.select(1, 12).add_(1).remainder_(20);  // a target alone
    tokens.select(1, 11).add_(1).remainder_(20);  // target of item 10, input of item 11
    const Tensor after = both.losses(tokens);
    EXPECT_TRUE(at::equal(before.narrow(1, 0, 10), after.narrow(1, 0, 10)));
  }
}

TEST(TransformerLosses, IgnoreMissingTargetsAndStartNearUniform) {
  const Built dense("dense", soft);
  const Tensor tokens = some_tokens();
  Tensor targets = tokens.narrow(1, 1, 12).clone();
  targets.select(1, 3).fill_(-1);
  Pass pass;
  const Tensor losses = dense.model.losses(tokens.narrow(1, 0, 12), targets, {}, pass);
  EXPECT_EQ(losses.select(1, 3).abs().max().item<float>(), 0);
  EXPECT_NEAR(dense.losses(tokens).mean().item<double>(), std::log(20.0), 0.1);
}

// A shorter model has the same numbers by name, so that its loss is what the longer one's early layer reads.
TEST(TransformerLosses, SupervisedLayersPredictLikeShorterModels) {
  ModelSettings settings = tiny();
  settings.layers = 3;
  settings.layer_loss = 0.5;
  const Tensor text = some_tokens(), tokens = text.narrow(1, 0, 12), targets = text.narrow(1, 1, 12).clone();
  targets[0].narrow(0, 0, 5).fill_(-1);
  const auto loss = [&](int64_t layers) {
    ModelSettings shorter = tiny();
    shorter.layers = layers;
    const Built built("dense", soft, 1, shorter);
    Pass pass;
    return built.model.losses(tokens, targets, built.routes, pass).sum().item<double>() / 31;
  };
  const Built supervised("dense", soft, 1, settings);
  Pass training{.in = {.training = true}};
  const double own = supervised.model.losses(tokens, targets, supervised.routes, training).sum().item<double>() / 31;
  EXPECT_NEAR(own, loss(3), 1e-6);
  ASSERT_EQ(training.out.losses.count("layers"), 1U);
  EXPECT_NEAR(training.out.losses.at("layers").item<double>(), 0.5 * (loss(1) + loss(2)) / 2, 1e-6);
  Pass evaluation;
  supervised.model.losses(tokens, targets, supervised.routes, evaluation);
  EXPECT_TRUE(evaluation.out.losses.empty());
}

// No gradient passes from a block into the one before: a block's is that of a model that ends with it, whose early
// layers don't move.
TEST(TransformerLosses, LayersOfTheirOwnLearnFromTheirOwnLosses) {
  ModelSettings settings = tiny();
  settings.layers = 3;
  settings.layer_loss = 0.5;
  settings.layer_gradients = "own";
  const Tensor text = some_tokens(), tokens = text.narrow(1, 0, 12), targets = text.narrow(1, 1, 12);
  const auto gradients = [&](const ModelSettings& of, bool layers) {
    const Built built("dense", soft, 1, of);
    Pass pass{.in = {.training = true}};
    Tensor loss = built.model.losses(tokens, targets, built.routes, pass).mean();
    if (layers) loss = loss + pass.out.losses.at("layers");
    loss.backward();
    std::map<std::string, Tensor> out;
    for (const Stored& stored : built.parameters.stored()) out[stored.name] = stored.leaf.grad().clone();
    return out;
  };
  const auto own = gradients(settings, true);
  for (int64_t layers = 1; layers <= 3; ++layers) {
    ModelSettings ending = tiny();
    ending.layers = layers;
    const std::string block = fmt::format("blocks.{}.", layers - 1);
    int compared = 0;
    for (const auto& [name, gradient] : gradients(ending, false)) {
      if (!name.starts_with(block)) continue;
      ++compared;
      const double weight = layers == 3 ? 1 : 0.5 / 2;
      EXPECT_LT((own.at(name) - weight * gradient).abs().max().item<double>(), 1e-6) << name;
    }
    EXPECT_GT(compared, 5);
  }
  settings.layer_loss = 0;
  EXPECT_THROW(Built("dense", soft, 1, settings), UserError);  // most blocks would have no loss
}

TEST(TransformerDropout, IsOneStreamForAllArms) {
  ModelSettings settings = tiny();
  settings.dropout = 0.3;
  const Built dense("dense", soft, 1, settings), again("dense", soft, 1, settings);
  const Tensor tokens = some_tokens();
  const auto at_step = [&](const Built& built, int64_t step) {
    Pass pass{.in = {.training = true, .seed = 9, .step = at::full({}, step, at::kLong)}};
    return built.model.losses(tokens.narrow(1, 0, 12), tokens.narrow(1, 1, 12), {}, pass);
  };
  EXPECT_TRUE(at::equal(at_step(dense, 1), at_step(again, 1)));
  EXPECT_FALSE(at::equal(at_step(dense, 1), at_step(dense, 2)));
}

TEST(TransformerSizes, ArePapersOwn) {
  ModelSettings paper;
  paper.layers = 6;
  paper.width = 256;
  paper.heads = 4;
  paper.context = 512;
  paper.feed_forward = 1024;
  const Parameters parameters(1);
  parameters.count_only();
  const Model model(paper, 50257, false, parameters);
  const int64_t dense = parameters.counts().untied;
  make_routes(model, target_named("attention"), routing("router.type = \"bilinear\"\nselection.type = \"soft\""), {},
              parameters);
  EXPECT_EQ(parameters.counts().router, 393216);
  EXPECT_EQ(parameters.counts().untied, dense + 393216);
  EXPECT_EQ(parameters.counts().untied, 30988800);  // the paper's "31M", its tied embedding counted twice
  EXPECT_NEAR(static_cast<double>(parameters.counts().unique), 18.1e6, 0.1e6);
  paper.heads = 3;  // doesn't divide the width
  EXPECT_THROW(Model(paper, 20, false, Parameters(1)), UserError);
}

}  // namespace
}  // namespace absorb
