#include "studies/run/evaluation.h"

#include <torch/types.h>

#include <algorithm>
#include <boost/math/tools/minima.hpp>
#include <cmath>
#include <set>

#include "core/error.h"
#include "core/numbers.h"
#include "statistics/summary.h"

namespace absorb {
namespace {

constexpr int64_t observed_batches = 4;  // passes that moments, health, mass and temperatures are taken from
constexpr int64_t calibrated_draws = 2;  // of a swap: fitting a temperature takes a dozen evaluations
constexpr int temperature_bits = 8;      // of the logarithm's precision

EvaluationRequest request_for(const LiveRun& run) {
  const TrainingSettings& training = run.settings().training;
  return {Split::valid, training.batch / training.accumulate, 0, static_cast<uint64_t>(run.settings().seed)};
}

// The same, for the first passes over valid text.
EvaluationRequest short_request_for(const LiveRun& run, const Dataset& data) {
  EvaluationRequest request = request_for(run);
  request.max_tokens = observed_batches * request.batch * data.context();
  return request;
}

// The first passes over valid text under `routes`, shown to `observe`.
void look(const LiveRun& run, const Dataset& data, Routes routes, Observer observe) {
  routes.observe = std::move(observe);
  absorb::observe(run.losses(routes), data, short_request_for(run, data), run.device());
}

RoutingSettings settings_at(const LiveRun& run, const RoutingTask& task) {
  return task.attention() ? run.settings().attention : run.settings().moe;
}

double loss_of(const LiveRun& run, const Dataset& data, const Routes& routes) {
  return evaluate(run.losses(routes), data, request_for(run), run.device()).loss;
}

TokenLosses scaled(TokenLosses inner, double scale) {
  return [inner = std::move(inner), scale](const Batch& batch, Pass& pass) {
    PassInput input = pass.in;
    input.logit_scale = scale;
    return with_input(pass, std::move(input), [&](Pass& informed) { return inner(batch, informed); });
  };
}

// The run's own routes with `random`'s at the sites of one kind.
Routes swapped_at(const LiveRun& run, const Routes& random, bool attention) {
  Routes routes = run.routes();
  for (const Site& site : swappable_sites(run))
    if (run.routes().at.at(site)->task().attention() == attention) routes.at[site] = random.at.at(site);
  return routes;
}

void deploy_swaps(const LiveRun& run, const Dataset& data, DeploymentResults& results) {
  const std::vector<Site> sites = swappable_sites(run);
  if (sites.empty()) return;
  const Target target = target_named(run.settings().target);
  const int64_t draws = std::max(target.attention ? run.settings().attention.swap_draws : 0,
                                 target.moe ? run.settings().moe.swap_draws : 0);
  std::map<std::string, std::vector<double>> losses;
  std::vector<double> taken;  // of the cost, by a temperature
  for (int64_t draw = 0; draw < draws; ++draw) {
    const Routes random = matched_random(run, data, sites, static_cast<uint64_t>(draw)).routes;
    losses["swap"].push_back(loss_of(run, data, random));
    if (draw < calibrated_draws) taken.push_back(losses["swap"].back() - calibrated_loss(run, data, random));
    if (run.settings().target != "both") continue;
    losses["swap_attention"].push_back(loss_of(run, data, swapped_at(run, random, true)));
    losses["swap_moe"].push_back(loss_of(run, data, swapped_at(run, random, false)));
  }
  for (const auto& [swap, by_draw] : losses) {
    const Summary summary = summarize(by_draw);
    results.losses[swap] = summary.mean;
    results.swap_sd[swap] = summary.sd;
  }
  if (!taken.empty()) results.losses["swap_calibrated"] = results.losses["swap"] - summarize(taken).mean;
}

void deploy_dense(const LiveRun& run, const Dataset& data, int64_t top_k, DeploymentResults& results) {
  if (run.settings().model.attention.native != "qk" || data.context() <= top_k) return;
  MassSums mass(top_k);
  look(run, data, attention_routes(run, "own", {{"type", "always"}}),  // dense attention itself, looked at
       [&](const Site&, const Routing&, const RouterInput& input) { mass.add(input.native); });
  results.mass_top_k = mass.mass();
  results.mass_uniform = mass.uniform();
  const Json kept = {{"type", "top_k"}, {"k", top_k}, {"weight", "one"}, {"gradient", "none"}};
  results.losses["oracle_top_k"] = loss_of(run, data, attention_routes(run, "own", kept));
  results.losses["random_top_k"] = loss_of(run, data, attention_routes(run, "redrawn", kept));
}

using AtSites = std::map<Site, std::shared_ptr<const Route>>;

// Moments of what each of `observed` scores at its site, while `routes` are what is followed.
std::map<Site, MomentSums> score_moments(const LiveRun& run, const Dataset& data, const Routes& routes,
                                         const AtSites& observed) {
  std::map<Site, MomentSums> sums;
  look(run, data, routes, [&](const Site& site, const Routing& routing, const RouterInput& input) {
    const auto found = observed.find(site);
    if (found == observed.end()) return;
    const bool followed = routes.at.at(site) == found->second;
    sums[site].add(followed ? chosen_by(routing) : found->second->score(input, Pass()), found->second->task().visible);
  });
  return sums;
}

// By where they stand in the model: layer, and attention before experts.
std::map<std::pair<int64_t, bool>, AtSites> in_order(const AtSites& routes) {
  std::map<std::pair<int64_t, bool>, AtSites> out;
  for (const auto& [site, route] : routes)
    out[{route->task().component.layer, !route->task().attention()}][site] = route;
  return out;
}

}  // namespace

std::vector<Site> swappable_sites(const LiveRun& run) {
  std::vector<Site> sites;
  for (const auto& [site, route] : run.routes().at) {
    const Component wanted = route->task().component;
    for (const Stored& stored : run.parameters().stored())
      if (stored.slices[0].component == wanted) {
        sites.push_back(site);
        break;
      }
  }
  return sites;
}

RandomRoutes matched_random(const LiveRun& run, const Dataset& data, const std::vector<Site>& sites, uint64_t draw) {
  const auto seed = static_cast<uint64_t>(run.settings().seed);
  const Parameters drawn(stream_key(seed, fmt::format("swap/{}", draw)));
  std::map<Site, std::shared_ptr<const Route>> random;
  for (const Site& site : sites) {
    const RoutingTask& task = run.routes().at.at(site)->task();
    RoutingSettings settings = settings_at(run, task);
    settings.losses.clear();
    settings.moments_of.clear();
    settings.choose = {};  // one draw chooses; what weighs, where that is another router, stays
    settings.weigh = {};
    settings.frozen = false;  // nothing trains here, but compensation may let the drawn router adapt
    random[site] = make_route(site, task, settings, drawn);
  }
  drawn.gather(run.device());
  std::map<Site, Tensor> to;
  for (auto& [site, sums] : score_moments(run, data, run.routes(), run.routes().at)) to[site] = sums.moments();
  // Layer by layer, under what is swapped in below: a drawn router is matched on the input that it will have.
  Routes routes = run.routes();
  for (const auto& [place, at] : in_order(random)) {
    for (auto& [site, sums] : score_moments(run, data, routes, at))
      routes.at[site] = std::make_shared<Route>(
          at.at(site)->matched_to(sums.moments(), to.at(site)).weighed_as(*run.routes().at.at(site)));
  }
  return {drawn, routes};
}

double calibrated_loss(const LiveRun& run, const Dataset& data, const Routes& routes) {
  const TokenLosses losses = run.losses(routes);
  const EvaluationRequest few = short_request_for(run, data);
  const auto loss_at = [&](double log_scale) {
    return evaluate(scaled(losses, std::exp(log_scale)), data, few, run.device()).loss;
  };
  // The loss is convex in the scale: one minimum.
  const auto [log_scale, least] =
      boost::math::tools::brent_find_minima(loss_at, std::log(1.0 / 64), std::log(2.0), temperature_bits);
  return evaluate(scaled(losses, std::exp(log_scale)), data, request_for(run), run.device()).loss;
}

Routes attention_routes(const LiveRun& run, const std::string& router, const Json& selection) {
  const std::string name = "attention_routes";
  RoutingSettings settings;
  settings.router = registries().routers.resolve(Settings::from_json({{"type", router}}, name));
  settings.selection = registries().selections.resolve(Settings::from_json(selection, name));
  const Parameters none(static_cast<uint64_t>(run.settings().seed));
  Routes routes = run.routes();
  for (const auto& [site, task] : run.model().sites())
    if (task.attention()) routes.at[site] = make_route(site, task, settings, none);
  return routes;
}

DeploymentResults deploy(const LiveRun& run, const Dataset& data, int64_t top_k) {
  DeploymentResults results;
  results.mass_top_k = results.mass_uniform = nan;
  results.native = evaluate(run.losses(), data, request_for(run), run.device());
  results.losses["native"] = results.native.loss;
  std::map<Site, HealthSums> health;
  look(run, data, run.routes(), [&](const Site& site, const Routing& routing, const RouterInput&) {
    health[site].add(routing, run.routes().at.at(site)->task());
  });
  for (const auto& [site, sums] : health) {
    results.health.push_back(sums.health(site));
    results.moments[site] = sums.moments();
  }
  deploy_swaps(run, data, results);
  if (run.settings().target == "dense") deploy_dense(run, data, top_k, results);
  return results;
}

}  // namespace absorb
