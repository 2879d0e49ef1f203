// What types and operations state of themselves adds up to the model, and twins are matched by it.
#include "studies/plan/matching.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "core/error.h"

namespace absorb {
namespace {

constexpr int64_t vocabulary = 256;

RunSettings run_with(const std::string& target, const std::string& routing, const std::string& model = "") {
  const std::string text = "data.type = \"recall\"\n[model]\nlayers = 2\nwidth = 128\nheads = 4\ncontext = 128\n" +
                           model + "[routing]\n" + routing;
  return read_run_settings(Settings::from_text(text, "test"), target, 1);
}

// Forward operations by a walk over everything that is stored: two for each number that multiplies, of experts those of
// the share that is active; then attention over half of the context.
double walked(const RunSettings& run, double active_share, double score_rank) {
  const Target target = target_named(run.target);
  const Parameters parameters(0);
  parameters.count_only();
  const Model model(run.model, vocabulary, target.moe, parameters);
  make_routes(model, target, run.attention, run.moe, parameters);
  double operations = 0;
  for (const Stored& stored : parameters.stored())
    for (const Slice& slice : stored.slices) {
      const Part part = slice.component.part;
      if (part == Part::norm || (part == Part::embedding && slice.component.index == 1)) continue;
      const int64_t columns = stored.leaf.numel() / stored.leaf.size(0);
      operations += 2 * static_cast<double>(slice.rows * columns) * (part == Part::expert ? active_share : 1);
    }
  const auto layers = static_cast<double>(run.model.layers), context = static_cast<double>(run.model.context);
  operations += layers * 2 * context * static_cast<double>(run.model.width);
  return operations + layers * static_cast<double>(run.model.heads) * context * score_rank;
}

// Without Q and K the attention twin gives what they would have taken to its feed-forward layers.
TEST(Matching, AttentionWithoutQueriesIsMatchedToADenseModelWithThem) {
  RunSettings run = run_with("attention", "router = { type = 'bilinear', rank = 8 }\nselection.type = 'soft'\n",
                             "attention.native = 'none'\n");
  const RunSettings dense = run_with("dense", "", "attention.native = 'none'\n");
  const Matched matched = match_to_dense(run, "parameters", vocabulary);
  const auto size = [](const RunSettings& of) {
    return static_cast<double>(size_of(of, vocabulary).parameters.unique);
  };
  EXPECT_NEAR(size(run) / size(dense), 1, 0.005);
  EXPECT_LT(std::abs(matched.difference), 0.005);
  EXPECT_GT(run.model.feed_forward, 4 * 128);  // 2 x 128 x 128 of Q and K, less the router's 2 x 4 x 128 x 8
}

TEST(Matching, WhatIsStatedIsWhatIsThere) {
  struct Case {
    const char *target, *routing;
    double active_share, score_rank;
  };
  const std::string no_biases = "moe.biases = false\n";
  for (const Case& c : {
           Case{"dense", "", 1, 0},
           Case{"attention", "router = { type = 'bilinear', rank = 8 }\nselection.type = 'soft'\n", 1, 8},
           Case{"attention", "router = { type = 'cosine', rank = 8 }\nselection = { type = 'top_k', k = 4 }\n", 1, 8},
           Case{"attention", "router.type = 'linear'\nselection.type = 'soft'\n", 1, 0},
           Case{"attention", "router.type = 'mlp'\nselection.type = 'softmax'\n", 1, 0},
           Case{"attention", "router = { type = 'hash', rank = 8 }\nselection.type = 'soft'\n", 1, 8},
           Case{"moe", "router.type = 'linear'\nselection = { type = 'top_k', k = 2 }\n", 0.25, 0},
           Case{"moe", "router.type = 'mlp'\nselection = { type = 'loss_free', k = 1 }\n", 0.125, 0},
           Case{"moe", "router.type = 'bilinear'\nselection.type = 'soft'\n", 1, 0},
           Case{"moe", "router.type = 'linear'\nselection = { type = 'top_k', k = 2, gradient = 'straight_through' }\n",
                1, 0},
           Case{"both",
                "router = { type = 'cosine', rank = 8 }\nattention.selection.type = 'soft'\nmoe.selection = { type = "
                "'loss_free', k = 4 }\n",
                0.5, 8},
       })
    for (const std::string& model : {std::string(), no_biases}) {
      const RunSettings run = run_with(c.target, c.routing, model);
      const Size size = size_of(run, vocabulary);
      EXPECT_EQ(size.cost.whole().parameters, size.parameters.unique) << c.target << ' ' << c.routing;
      EXPECT_EQ(size.flops_per_token, walked(run, c.active_share, c.score_rank)) << c.target << ' ' << c.routing;
    }
}

// One of eight experts is active, whichever selection keeps it.
TEST(Matching, CountsTheExpertsThatALossFreeSelectionKeeps) {
  std::vector<int64_t> widths;
  for (const char* selection : {"top_k", "loss_free"}) {
    RunSettings run =
        run_with("moe", "router.type = 'linear'\nselection = { type = '" + std::string(selection) + "', k = 1 }\n");
    const Matched matched = match_to_dense(run, "active_flops", vocabulary);
    EXPECT_LT(std::abs(matched.difference), 0.005) << selection;
    widths.push_back(run.model.moe.hidden);
  }
  EXPECT_EQ(widths[0], widths[1]);
  EXPECT_GT(widths[1], 450);  // nearly the 512 of the dense layer, not an eighth of it
}

TEST(Matching, WhatALossOnTheRoutingCostsIsTrainingsAlone) {
  const std::string routing = "router.type = 'linear'\nselection = { type = 'top_k', k = 2 }\n";
  const RunSettings plain = run_with("moe", routing), lossy = run_with("moe", routing + "losses.z_loss = 0.1\n");
  EXPECT_EQ(size_of(plain, vocabulary).flops_per_token, size_of(lossy, vocabulary).flops_per_token);
  EXPECT_EQ(size_of(lossy, vocabulary).cost.expert_route.losses.at("z_loss").score_passes, 1);
  EXPECT_TRUE(size_of(plain, vocabulary).cost.expert_route.losses.empty());
}

// 2 layers of width 128, context 128: a token sees 64 keys on average, which cost 4 x 128 operations each.
TEST(Matching, RealisedOperationsFollowWhatWasKept) {
  const auto realised = [](const std::string& target, const std::string& routing, double first, double second) {
    const RunSettings run = run_with(target, routing, "feed_forward = 512\nmoe = { experts = 8, hidden = 64 }\n");
    const Routes routes = counted_routes(run, vocabulary);
    const ModelCost cost = size_of(run, vocabulary).cost;
    const auto scalar = [](double value) { return at::full({}, value, at::kDouble); };
    const std::map<Site, Tensor> densities = {{routes.at.begin()->first, scalar(first)},
                                              {routes.at.rbegin()->first, scalar(second)}};
    return realised_operations(cost, routes, densities, 64).item<double>() - cost.whole().operations_with(64);
  };
  const char* soft = "router.type = 'linear'\nselection.type = 'soft'\n";
  EXPECT_NEAR(realised("attention", soft, 1, 1), 0, 1e-6);
  EXPECT_NEAR(realised("attention", soft, 0.25, 0.5), -(0.75 + 0.5) * 64 * 4 * 128, 1e-6);
  const double expert = 2 * (129 * 64 + 65 * 128);  // operations of one, with biases
  EXPECT_NEAR(realised("moe", soft, 1, 0.125), -7 * expert, 1e-6);
  const char* top2 = "router.type = 'linear'\nselection = { type = 'top_k', k = 2, weight = 'softmax_kept' }\n";
  EXPECT_NEAR(realised("moe", top2, 0.25, 0.5), 2 * expert, 1e-6);  // 2 of 8 are what the settings promise
}

}  // namespace
}  // namespace absorb
