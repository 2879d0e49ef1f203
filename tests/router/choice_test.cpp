// Choosing and weighing told apart: which scores decide what is kept, which what it weighs, and what learns.
#include "core/error.h"
#include "tests/routing_fixture.h"

namespace absorb {
namespace {

using namespace absorb::testing;

struct Built {
  Parameters parameters{1, at::kDouble};
  std::shared_ptr<const Route> route;
  Tensor named(const std::string& name) const {
    for (const Stored& stored : parameters.stored())
      if (stored.name.find(name) != std::string::npos) return stored.leaf;
    return {};
  }
};

Built built(const RoutingTask& task, const std::string& toml) {
  Built out;
  out.route = make_route("site", task, routing(toml), out.parameters);
  return out;
}

const std::string linear = "router.type = \"linear\"\n";
const std::string sigmoid =
    "selection = { type = \"top_k\", k = 2, weight = \"sigmoid\", gradient = \"straight_through\" }\n";

TEST(RouterChoice, IsThatOfTheCopyAndIsWeighedByTheRouter) {
  for (const RoutingTask& task : {attention_task(), moe_task()}) {
    const std::string router = task.attention() ? "router = { type = \"bilinear\", rank = 3 }\n" : linear;
    const Built alone = built(task, router + sigmoid + "frozen = true\n");
    const Built redrawn = built(task, router + sigmoid + "frozen = true\nchoose.redraw_every = 1\n");
    const RouterInput input = input_for(task, features({2, 9, 8}));
    Pass pass;
    const Tensor before = weights((*alone.route)(input, pass));
    EXPECT_TRUE(at::equal(before, weights((*redrawn.route)(input, pass))));  // the copy begins as the frozen draw
    {
      at::NoGradGuard no_grad;
      redrawn.named("choose").neg_();  // what was least wanted is chosen now
    }
    const Routing routing = (*redrawn.route)(input, pass);
    const Tensor now = weights(routing), own = dense(redrawn.route->score(input, pass)).sigmoid();
    EXPECT_FALSE(at::equal(before > 0, now > 0));
    EXPECT_TRUE(at::allclose(now, own * (now > 0), 1e-12, 1e-12));
    EXPECT_TRUE(at::equal(counts(routing), (now > 0).sum(at::IntArrayRef{0, 2}).to(at::kDouble)));
  }
}

TEST(RouterChoice, OfASoftRouteIsTheScoresThemselves) {
  const Built soft = built(moe_task(), linear + "selection.type = \"soft\"\nfrozen = true\nchoose.redraw_every = 1\n");
  ASSERT_EQ(soft.parameters.stored().size(), 1U);
  EXPECT_EQ(soft.parameters.stored()[0].slices[0].follows->redraw_every, 1);
  EXPECT_FALSE(is_copy(soft.parameters.stored()[0].slices[0]));
}

TEST(RouterWeigh, WeighsWhatTheRouterChose) {
  const RoutingTask task = moe_task();
  const Built two = built(task, linear + "weigh.type = \"linear\"\n" +
                                    "selection = { type = \"top_k\", k = 2, weight = \"softmax_kept\" }\n");
  const RouterInput input = input_for(task, features({2, 5, 8}));
  Pass pass;
  const Routing routing = (*two.route)(input, pass);
  const Tensor w = weights(routing), chosen = dense(two.route->score(input, pass));
  EXPECT_TRUE(at::equal(
      w > 0,
      keep_mask({chosen.defined() ? scores_of(chosen) : Scores(), top_k(chosen, 2, Visible::all, false)}, chosen)));
  const Tensor by_hand = at::linear(input.items, two.named("site.weigh.")).unsqueeze(1);
  EXPECT_TRUE(at::allclose(w, masked_softmax(by_hand, w > 0, true), 1e-12, 1e-12));
  EXPECT_EQ(two.parameters.stored()[1].slices[0].component.part, Part::expert_weigher);
  EXPECT_GT(two.route->cost().router.parameters, built(task, linear + sigmoid).route->cost().router.parameters);
}

// Hard forward, soft backward: the derivative of sigmoid(choice) x weight, by central differences of the soft routing.
TEST(RouterWeigh, TheChoiceLearnsThroughTheSigmoidOfItsScores) {
  const std::string st =
      "selection = { type = \"top_k\", k = 2, weight = \"softmax_kept\", gradient = \"straight_through\" }\n";
  const std::string one =
      "selection = { type = \"top_k\", k = 2, weight = \"one\", gradient = \"straight_through\" }\n";
  const RoutingTask task = moe_task();
  const Tensor x = features({1, 3, 8}), direction = features({1, 1, 3, 4}, "direction");
  for (const std::string& toml : {linear + "weigh.type = \"linear\"\n" + st, linear + one}) {
    const Built made = built(task, toml);
    Pass pass;
    const auto routing = [&] { return (*made.route)(input_for(task, x), pass); };
    for (const Stored& stored : made.parameters.stored()) stored.leaf.mutable_grad() = Tensor();
    (weights(routing()) * direction).sum().backward();
    std::vector<Tensor> hard_gradients;
    for (const Stored& stored : made.parameters.stored()) hard_gradients.push_back(stored.leaf.grad().clone());
    for (std::size_t i = 0; i < hard_gradients.size(); ++i) {
      const Stored& stored = made.parameters.stored()[i];
      const Tensor& hard = hard_gradients[i];
      EXPECT_GT(hard.abs().max().item<double>(), 1e-3) << stored.name;
      EXPECT_LT(gradient_error([&] { return (weights(softened(routing())) * direction).sum(); }, stored.leaf), 1e-8);
      EXPECT_TRUE(at::allclose(stored.leaf.grad(), hard, 1e-10, 1e-12)) << stored.name;
    }
  }
}

TEST(RouterChoice, RefusesWhatContradictsItself) {
  const auto refused = [](const std::string& toml, const std::string& why) {
    try {
      const RoutingSettings settings = routing(toml);
      require_sense(settings);
      make_route("site", moe_task(), settings, Parameters(1));
      ADD_FAILURE() << "taken: " << toml;
    } catch (const UserError& error) {
      EXPECT_NE(std::string(error.what()).find(why), std::string::npos) << error.what();
    }
  };
  refused(linear + sigmoid + "choose.redraw_every = 1\n", "say routing.frozen = true");
  refused(linear + sigmoid + "choose.lag = 1\nfrozen = true\n", "a frozen router never was another");
  refused(linear + "selection.type = \"soft\"\nchoose.lag = 1\n", "keeps every choice");
  refused(linear + "selection.type = \"soft\"\nweigh.type = \"linear\"\n", "keeps every choice");
  refused(linear + sigmoid + "weigh.type = \"nobody\"\n", "nobody");
  refused(linear + sigmoid + "weigh.type = \"hash\"\n", "\"hash\" learns nothing");
}

}  // namespace
}  // namespace absorb
