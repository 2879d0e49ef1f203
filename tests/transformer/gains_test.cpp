#include "transformer/gains.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"

namespace absorb {
namespace {

struct Fixture {
  Fixture() : parameters(3) {
    ModelSettings s;
    s.layers = 2;
    s.width = 16;
    s.heads = 2;
    s.context = 8;
    s.init_std = 0.3;
    s.moe.experts = 4;
    s.moe.hidden = 8;
    model = std::make_shared<Model>(s, 11, true, parameters);
    RoutingSettings moe = read_settings<RoutingSettings>(
        Settings::from_text("router = { type = 'linear' }\nselection = { type = 'top_k', k = 2 }", "test"));
    routes = make_routes(*model, target_named("moe"), {}, moe, parameters);
    parameters.gather(at::kCPU);
    tokens = at::arange(64, at::kLong).remainder(11).view({8, 8});
    targets = (tokens * 3 + 1).remainder(11);
  }
  Parameters parameters;
  std::shared_ptr<Model> model;
  Routes routes;
  Tensor tokens, targets;
};

TEST(TransformerGains, ForetellExactSwapsAndLeaveGradientsAlone) {
  Fixture f;
  const auto gains = expected_gains(*f.model, f.tokens, f.targets, f.routes, Pass{});
  ASSERT_EQ(gains.size(), 2u);
  EXPECT_EQ(gains.at("blocks.1.experts").sizes(), at::IntArrayRef({8, 8, 4}));
  EXPECT_EQ(f.parameters.flat_gradient().abs().max().item<double>(), 0);
  for (const char* site : {"blocks.0.experts", "blocks.1.experts"})
    EXPECT_GT(gain_correlation(*f.model, f.tokens, f.targets, f.routes, site, 512, Pass{}), 0.7) << site;
}

// With weights that sum to one, the layer's own output is the weighted mean of the experts' and gains nothing.
TEST(TransformerGains, OfTheLayersOwnMixtureIsZero) {
  Fixture f;
  const Site site = "blocks.1.experts";
  const Tensor gains = expected_gains(*f.model, f.tokens, f.targets, f.routes, Pass{}).at(site).view({64, 4});
  Tensor own;
  Routes watched = f.routes;
  watched.observe = [&](const Site& where, const Routing& routing, const RouterInput&) {
    if (where == site) own = weights(routing).detach().view({64, 4});
  };
  Pass pass;
  f.model->losses(f.tokens, f.targets, watched, pass);
  EXPECT_LT((gains * own).sum(1).abs().max().item<double>(), 1e-4);
  EXPECT_GT(gains.abs().max().item<double>(), 1e-2);
}

TEST(TransformerRecording, IsReplayedOnItsOwnTokensAlone) {
  Fixture f;
  auto recording = std::make_shared<Recording>();
  recording->tokens = f.tokens;
  Routes watched = f.routes;
  watched.observe = [&](const Site& site, const Routing& routing, const RouterInput&) {
    recording->at[site] = routing;
  };
  Pass first, second;
  const Tensor native = f.model->losses(f.tokens, f.targets, watched, first);
  Routes replayed = f.routes;
  for (auto& [site, route] : replayed.at) route = std::make_shared<Route>(route->replaying(recording));
  EXPECT_TRUE(at::equal(f.model->losses(f.tokens, f.targets, replayed, second), native));
  Pass third;
  EXPECT_THROW(f.model->losses((f.tokens + 1).remainder(11), f.targets, replayed, third), UserError);
}

}  // namespace
}  // namespace absorb
