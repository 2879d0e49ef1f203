// What is read off a run after training: matched random routers, chance.
#include "studies/run/evaluation.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "training/data/source.h"
#include "training/evaluate.h"

namespace absorb {
namespace {

RunSettings settings_of(const std::string& target) {
  return read_run_settings(Settings::from_text(R"(
data = { type = "recall", sequences = 64 }
training = { batch = 16 }
[model]
layers = 3
width = 32
heads = 2
context = 32
init_std = 0.2
moe.experts = 4
[routing]
router = { type = "bilinear", rank = 8 }
attention.selection = { type = "top_k", k = 4, weight = "sigmoid" }
moe.selection = { type = "top_k", k = 2, weight = "sigmoid" }
)",
                                               "test"),
                           target, 1);
}

/// Moments of what is scored at each site while `routes` are followed, over all valid text.
std::map<Site, Tensor> moments_under(const LiveRun& run, const Dataset& data, Routes routes) {
  std::map<Site, MomentSums> sums;
  routes.observe = [&](const Site& site, const Routing& routing, const RouterInput&) {
    sums[site].add(routing.scores, routing.visible);
  };
  observe(run.losses(routes), data, {Split::valid, 16, 0, 1}, at::kCPU);
  std::map<Site, Tensor> out;
  for (const auto& [site, each] : sums) out[site] = each.moments();
  return out;
}

// Large weights and few tokens: what is swapped in at layer 0 changes what layer 2 reads by far more than a percent.
TEST(StudyEvaluation, SwappedRoutersHaveTheRunsMomentsInEveryLayer) {
  for (const char* target : {"attention", "moe", "both"}) {
    const RunSettings settings = settings_of(target);
    const auto data = make_dataset(settings.data, settings.model.context, 1);
    const LiveRun run(settings, data->vocabulary(), at::kCPU);
    const auto own = moments_under(run, *data, run.routes());
    const auto swapped = moments_under(run, *data, matched_random(run, *data, swappable_sites(run), 1).routes);
    ASSERT_EQ(own.size(), swapped.size());
    for (const auto& [site, to] : own) {
      const Tensor& from = swapped.at(site);
      const Tensor sd = to[1];
      EXPECT_LT(((from[0] - to[0]).abs() / sd).max().item<double>(), 0.01) << target << ' ' << site;
      EXPECT_LT((from[1] / sd - 1).abs().max().item<double>(), 0.01) << target << ' ' << site;
    }
  }
}

// Recall draws its four values alike: chance is ln 4 but for what 1,024 answers leave to it.
TEST(StudyEvaluation, ChanceIsTheEntropyOfTheTargets) {
  const RunSettings settings = settings_of("attention");
  const auto data = make_dataset(settings.data, settings.model.context, 1);
  const LiveRun run(settings, data->vocabulary(), at::kCPU);
  const Evaluation found = evaluate(run.losses(), *data, {Split::valid, 16, 0, 1}, at::kCPU);
  EXPECT_EQ(found.tokens, 64 * 16);
  EXPECT_LE(found.chance, std::log(4.0));
  EXPECT_NEAR(found.chance, std::log(4.0), 5 * 3.0 / (2 * 1024));  // deficit: about (4 - 1) / 2n
}

// Four times the final norm's output is four times every logit, which one temperature undoes: of a model that is much
// too sure of itself nothing but that is left out.
TEST(StudyEvaluation, OneTemperatureUndoesScaledLogits) {
  const RunSettings settings = settings_of("attention");
  const auto data = make_dataset(settings.data, settings.model.context, 1);
  const LiveRun run(settings, data->vocabulary(), at::kCPU);
  const auto loss = [&] { return evaluate(run.losses(), *data, {Split::valid, 16, 0, 1}, at::kCPU).loss; };
  const double plain = loss(), calibrated = calibrated_loss(run, *data, run.routes());
  EXPECT_LE(calibrated, plain + 1e-6);
  at::NoGradGuard no_grad;
  for (const Stored& stored : run.parameters().stored())
    if (stored.name.starts_with("final_norm")) stored.leaf.mul_(4);
  EXPECT_GT(loss(), plain + 0.1);
  EXPECT_NEAR(calibrated_loss(run, *data, run.routes()), calibrated, 1e-4);
  const DeploymentResults results = deploy(run, *data, 4);
  EXPECT_LT(results.losses.at("swap_calibrated"), results.losses.at("swap") - 0.1);
}

}  // namespace
}  // namespace absorb
