// Routers, modifiers and selections against their definitions.
#include <set>

#include "core/error.h"
#include "router/moments.h"
#include "tests/routing_fixture.h"

namespace absorb {
namespace {

using namespace testing;

Routing route_once(const std::string& toml, const RoutingTask& task, const Tensor& x, Pass pass = {}) {
  const Parameters parameters(1, at::kDouble);
  const auto route = make_route("site", task, routing(toml), parameters);
  return (*route)(input_for(task, x), pass);
}

constexpr const char* soft = "selection.type = \"soft\"\n";

TEST(RouterBilinear, IsTheScaledProductOfItsFactors) {
  const RoutingTask task = attention_task();
  const Parameters parameters(1, at::kDouble);
  const auto route =
      make_route("site", task, routing(std::string(soft) + "router = { type = \"bilinear\", rank = 3 }"), parameters);
  const Tensor x = features({2, 5, 8});
  const Scores scores = route->score(input_for(task, x), {});
  const Tensor a = parameters.stored()[0].leaf, b = parameters.stored()[1].leaf;  // [2*3,8]
  const Tensor by_hand =
      at::einsum("btgr,bsgr->bgts", {at::linear(x, a).view({2, 5, 2, 3}), at::linear(x, b).view({2, 5, 2, 3})}) /
      std::sqrt(3.0);
  EXPECT_TRUE(at::allclose(dense(scores), by_hand, 1e-12, 1e-12));
}

TEST(RouterScoreSd, IsOneAtTheStartInBothTasks) {
  for (const bool attention : {true, false})
    for (const std::string router : {"{ type = \"bilinear\", rank = 32 }", "{ type = \"linear\" }"}) {
      const RoutingTask task = attention ? attention_task(64, 4) : moe_task(64, 8);
      double sum = 0;
      for (uint64_t seed = 1; seed <= 8; ++seed) {
        const Parameters parameters(seed);
        const auto route = make_route("site", task, routing(fmt::format("{}router = {}", soft, router)), parameters);
        const Tensor m =
            moments(route->score(input_for(task, features({8, 32, 64}, "x", at::kFloat)), {}), task.visible);
        sum += m[1].mean().item<double>() / 8;
      }
      EXPECT_NEAR(sum, 1, 0.15) << router << (attention ? " attention" : " experts");
    }
}

TEST(RouterScoreSd, ZeroMeansThePapersInitialWeights) {
  const Parameters parameters(1);
  make_route("site", attention_task(64, 4), routing(std::string(soft) + "score_sd = 0\nrouter.type = \"bilinear\""),
             parameters);
  EXPECT_NEAR(parameters.stored()[0].leaf.std().item<double>(), 0.02, 0.001);
}

TEST(RouterConstant, KeepsTheMostRecentKeysAndTheFirstExperts) {
  const std::string toml =
      "router.type = \"constant\"\nselection = { type = \"top_k\", k = 2, weight = \"one\", self = false }";
  const Tensor w = weights(route_once(toml, attention_task(), features({1, 5, 8}, "x", at::kFloat)));
  EXPECT_TRUE(at::equal(w[0][0][4], at::tensor({0.f, 0.f, 0.f, 1.f, 1.f})));
  const Tensor e = weights(route_once(toml, moe_task(), features({1, 5, 8}, "x", at::kFloat)));
  EXPECT_TRUE(at::equal(e[0][0][4], at::tensor({1.f, 1.f, 0.f, 0.f})));
}

TEST(RouterRedrawn, DrawsAnewAtEveryStepAndTheSameAtOneStep) {
  const std::string toml = "router.type = \"redrawn\"\nselection = { type = \"top_k\", k = 2, weight = \"one\" }";
  const Tensor x = features({2, 16, 8}, "x", at::kFloat);
  const auto at_step = [&](int64_t step) {
    const Pass pass{.in = {.seed = 3, .step = at::full({}, step, at::kLong)}};
    return weights(route_once(toml, attention_task(), x, pass));
  };
  EXPECT_TRUE(at::equal(at_step(1), at_step(1)));
  EXPECT_FALSE(at::equal(at_step(1), at_step(2)));
}

TEST(RouterModifiers, FrozenRoutersAreNotTrainedButPassGradientsToTheirInput) {
  const RoutingTask task = moe_task();
  const Parameters parameters(1, at::kDouble);
  const auto route =
      make_route("site", task, routing(std::string(soft) + "frozen = true\nrouter.type = \"bilinear\""), parameters);
  const Tensor x = features({2, 5, 8}).requires_grad_();
  Pass pass;
  weights((*route)(input_for(task, x), pass)).square().sum().backward();
  for (const Stored& stored : parameters.stored()) {
    EXPECT_FALSE(stored.trained);
    EXPECT_FALSE(stored.leaf.grad().defined());
  }
  EXPECT_GT(x.grad().norm().item<double>(), 0);
}

TEST(RouterModifiers, FrozenAndLearnedStartFromTheSameDraw) {
  const Parameters learned(5), frozen(5);
  make_route("site", attention_task(), routing(std::string(soft) + "router.type = \"bilinear\""), learned);
  make_route("site", attention_task(), routing(std::string(soft) + "frozen = true\nrouter.type = \"bilinear\""),
             frozen);
  EXPECT_TRUE(at::equal(learned.stored()[0].leaf, frozen.stored()[0].leaf));
}

TEST(RouterModifiers, DetachedInputGetsNoGradient) {
  const RoutingTask task = attention_task();
  const Parameters parameters(1, at::kDouble);
  const auto route = make_route(
      "site", task, routing(std::string(soft) + "detach_input = true\nrouter.type = \"bilinear\""), parameters);
  const Tensor x = features({2, 5, 8}).requires_grad_();
  Pass pass;
  weights((*route)(input_for(task, x), pass)).square().sum().backward();
  EXPECT_FALSE(x.grad().defined());
  EXPECT_GT(parameters.stored()[0].leaf.grad().norm().item<double>(), 0);
}

TEST(RouterModifiers, TemperatureDividesAndShuffledTakesAnotherSequence) {
  const RoutingTask task = attention_task();
  const Tensor x = features({4, 5, 8});
  const std::string base = std::string(soft) + "router.type = \"bilinear\"\n";
  const Tensor plain = dense(route_once(base, task, x).scores);
  EXPECT_TRUE(at::allclose(dense(route_once(base + "temperature = 2", task, x).scores), plain / 2));
  const Tensor shuffled = dense(route_once(base + "shuffled = true", task, x).scores);
  EXPECT_TRUE(at::allclose(shuffled, at::roll(plain, {2}, {0})));
  EXPECT_THROW(route_once(base + "shuffled = true", task, x.narrow(0, 0, 1)), UserError);
}

TEST(RouterModifiers, NoiseIsAddedInTrainingAlone) {
  const std::string toml = std::string(soft) + "router.type = \"bilinear\"\nnoise = 0.5";
  const RoutingTask task = attention_task();
  const Tensor x = features({4, 16, 8});
  const Tensor quiet = dense(route_once(toml, task, x).scores);
  const Tensor noisy = dense(route_once(toml, task, x, {.in = {.training = true}}).scores);
  EXPECT_NEAR((noisy - quiet).std().item<double>(), 0.5, 0.03);
}

TEST(RouterModifiers, ABlendReplacesAShareOfTheItemsAndKeepsThemReplaced) {
  for (const bool attention : {true, false}) {
    const RoutingTask task = attention ? attention_task() : moe_task();
    const std::string text = std::string(soft) + "router = { type = \"bilinear\", rank = 3 }";
    const Parameters first(1, at::kDouble), second(2, at::kDouble);
    const auto own = make_route("site", task, routing(text), first);
    const auto other = make_route("site", task, routing(text), second);
    const Tensor x = features({8, 64, 8});
    const RouterInput input = input_for(task, x);
    const Tensor mine = dense(own->score(input, {})), theirs = dense(other->score(input, {}));
    /// bool [B,T]: items that are wholly the other route's; the others are wholly our own.
    const auto replaced = [&](double share) {
      const Tensor blended = dense(own->blended(other, share, 5).score(input, {}));
      const Tensor is_theirs = (blended == theirs).all(-1).all(1), is_mine = (blended == mine).all(-1).all(1);
      EXPECT_TRUE(at::equal(is_theirs, is_mine.logical_not())) << share;
      return is_theirs;
    };
    EXPECT_FALSE(replaced(0).any().item<bool>());
    EXPECT_TRUE(replaced(1).all().item<bool>());
    const Tensor few = replaced(0.25), many = replaced(0.6);
    EXPECT_NEAR(few.to(at::kDouble).mean().item<double>(), 0.25, 0.08);
    EXPECT_NEAR(many.to(at::kDouble).mean().item<double>(), 0.6, 0.08);
    EXPECT_TRUE(at::equal(few.logical_and(many), few));
    EXPECT_FALSE(at::equal(dense(own->blended(other, 0.25, 6).score(input, {})),
                           dense(own->blended(other, 0.25, 5).score(input, {}))));
  }
}

TEST(RouterModifiers, MomentsAreMatchedPerGroup) {
  const RoutingTask task = attention_task();
  const Tensor x = features({4, 16, 8});
  const Scores scores = route_once(std::string(soft) + "router.type = \"bilinear\"", task, x).scores;
  const Tensor to = at::tensor({0.5, -1.0, 2.0, 0.25}, at::kDouble).view({2, 2});
  const Tensor got = moments(matched(scores, moments(scores, Visible::causal), to), Visible::causal);
  EXPECT_TRUE(at::allclose(got, to, 1e-9, 1e-9));
}

TEST(RouterSelections, RefuseWhatMakesNoSense) {
  const auto refused = [](const std::string& toml, const RoutingTask& task) {
    EXPECT_THROW(route_once(toml, task, features({2, 5, 8})), UserError) << toml;
  };
  refused("router.type = \"bilinear\"\nselection = { type = \"top_k\", k = 5 }", moe_task());
  refused("router.type = \"bilinear\"\nselection = { type = \"top_k\", k = 6 }", attention_task());
  refused(
      "router.type = \"bilinear\"\nselection = { type = \"top_k\", weight = \"mean\", gradient = \"straight_through\" "
      "}",
      moe_task());
  refused("router.type = \"own\"\nselection.type = \"soft\"", moe_task());
  refused("router.type = \"bilinear\"\nselection.type = \"soft\"\nlosses.load_balance = 0.1", attention_task());
  refused("selection.type = \"soft\"", moe_task());
}

TEST(RouterLosses, AreWhatTheirFormulasSay) {
  const Tensor x = features({2, 6, 8});
  const std::string base = "router.type = \"linear\"\nselection = { type = \"top_k\", k = 1 }\n";
  const RoutingTask task = moe_task();
  const auto losses = [&](const std::string& extra) {
    const Parameters parameters(1, at::kDouble);
    const auto route = make_route("site", task, routing(base + extra), parameters);
    Pass pass{.in = {.training = true}};
    const Routing routing = (*route)(input_for(task, x), pass);
    return std::pair(pass.out.losses.begin()->second.item<double>(),
                     dense(routing.scores)[0][0].new_empty({0}).defined() ? dense(routing.scores) : Tensor());
  };
  const auto [balance, scores] = losses("losses.load_balance = 0.5");
  const Tensor p = scores.softmax(-1).mean(at::IntArrayRef{0, 1, 2});
  const Tensor f = at::one_hot(scores.argmax(-1), 4).to(at::kDouble).mean(at::IntArrayRef{0, 1, 2});
  EXPECT_NEAR(balance, 0.5 * 4 * (p * f).sum().item<double>(), 1e-12);
  EXPECT_NEAR(losses("losses.z_loss = 2").first, 2 * scores.logsumexp(-1).square().mean().item<double>(), 1e-12);
}

TEST(RouterLosses, SparsityCountsTheFutureAndReachesWhatItShould) {
  const RoutingTask task = attention_task();
  for (const bool router_only : {false, true}) {
    const Parameters parameters(1, at::kDouble);
    const auto route = make_route(
        "site", task,
        routing(std::string(soft) +
                "router.type = \"bilinear\"\nlosses.sparsity = { coefficient = 1.0, target = 0.875, reach = \"" +
                (router_only ? "router" : "all") + "\" }"),
        parameters);
    const Tensor x = features({2, 5, 8}).requires_grad_();
    Pass pass{.in = {.training = true}};
    const Routing r = (*route)(input_for(task, x), pass);
    const double open = dense(r.scores).sigmoid().mean().item<double>();
    const Tensor loss = pass.out.losses.at("site/sparsity");
    EXPECT_NEAR(loss.item<double>(), std::pow(0.875 - (1 - open), 2), 1e-12);
    loss.backward();
    EXPECT_EQ(x.grad().defined(), !router_only);
    EXPECT_GT(parameters.stored()[0].leaf.grad().norm().item<double>(), 0);
  }
}

}  // namespace
}  // namespace absorb
