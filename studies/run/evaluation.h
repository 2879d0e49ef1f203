// What a trained run is worth under other routings: swap-in tests (science.md section 4). Weights are never touched;
// only the routes of the pass differ.
#pragma once

#include "studies/run/live_run.h"
#include "studies/run/observe.h"

namespace absorb {

/// Everything that is read off a trained run on valid text.
struct DeploymentResults {
  Evaluation native;
  std::map<std::string, double> losses;   // by deployment, "native" among them
  std::map<std::string, double> swap_sd;  // of those of the swaps over their draws
  std::vector<SiteHealth> health;
  Moments moments;  // of the run's own scores, by site
  double mass_top_k, mass_uniform;
};

/// Random routers with the parameters they live in.
struct RandomRoutes {
  Parameters parameters;
  Routes routes;
};

/// Random routers of the same kind as `run`'s at `sites`, draw number `draw`, rescaled to the moments of the run's own
/// scores (science.md section 3: matched random).
RandomRoutes matched_random(const LiveRun& run, const Dataset& data, const std::vector<Site>& sites, uint64_t draw);

/// Loss over valid text under `routes` once all logits are divided by one temperature, that with the smallest loss over
/// the first passes: what is left of a swap's cost when the swapped model is no surer of itself than it should be.
double calibrated_loss(const LiveRun& run, const Dataset& data, const Routes& routes);

/// The run's routes, with `router` and the table `selection` at every attention site: "own" + top_k is the oracle,
/// "redrawn" + top_k random keys, "own" + always dense attention under an observer.
Routes attention_routes(const LiveRun& run, const std::string& router, const Json& selection);

DeploymentResults deploy(const LiveRun& run, const Dataset& data, int64_t top_k);

/// Sites whose router has weights to draw anew.
std::vector<Site> swappable_sites(const LiveRun& run);

}  // namespace absorb
