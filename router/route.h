// A Route is what stands at one site: a router, its modifiers, a selection and routing losses. Routes say which Route
// each site uses in one pass. Since routing is an argument of the model, a transplant is losses(backbone i, routes j)
// and nothing is ever mutated and restored.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "router/loss.h"
#include "router/router.h"
#include "router/selection.h"

namespace absorb {

/// What chooses, where it isn't the router as it stands (docs/science.md section 4).
struct ChoiceSettings {
  int64_t redraw_every = 0;
  int64_t lag = 0;
};
void fields(Fields& list, ChoiceSettings& settings);

/// What a study file says under [routing], for one kind of router.
struct RoutingSettings {
  Typed router, selection, weigh;
  ChoiceSettings choose;
  int64_t swap_draws = 8;
  std::map<std::string, Typed> losses;
  bool frozen = false;
  int64_t draw = 0;
  bool detach_input = false;
  double temperature = 1;
  double noise = 0;
  double score_sd = 1;
  bool shuffled = false;
  bool allow_noncausal = false;
  std::string moments_of;
  std::string apply = "log_bias";  // attention only
  std::vector<int64_t> layers;     // that are routed; empty: all
};

struct Registries {
  Routers routers{"router"};
  Selections selections{"selection"};
  RoutingLosses losses{"routing loss"};
};
/// Every built-in type: one line for each.
void add_builtin(Registries& registries);
/// The registries that study files are read with.
Registries& registries();

void fields(Fields& list, RoutingSettings& settings);
/// Whether a layer is among those that are routed.
inline bool routes_layer(const RoutingSettings& settings, int64_t layer) {
  return settings.layers.empty() || std::ranges::find(settings.layers, layer) != settings.layers.end();
}
/// UserError where the settings contradict each other: a lag of a frozen router, a learned one drawn anew.
void require_sense(const RoutingSettings& settings);

/// Score moments of every site, [2,G] each: what moments_of and matched random routers are rescaled to.
using Moments = std::map<Site, Tensor>;

/// Routings of one batch, kept to be replayed on it.
struct Recording {
  Tensor tokens;  // [B,T]
  std::map<Site, Routing> at;
};

/// What a site's routing costs, for one item.
struct RouteCost {
  Cost router;
  SelectionCost selection;
  std::map<std::string, Cost> losses = {};  // by name, those that are switched on
};

class Route {
 public:
  struct Loss {
    std::string name;
    double coefficient = 0;
    bool router_only = false;
    std::shared_ptr<const RoutingLoss> loss;
  };
  Route(Site site, RoutingTask task, RoutingSettings settings, std::shared_ptr<const Router> router,
        std::shared_ptr<const Selection> selection, std::vector<Loss> losses = {});
  /// The same with another router that chooses, in its place, or that weighs what was chosen; null: the router itself.
  Route with_roles(std::shared_ptr<const Router> chooser, std::shared_ptr<const Router> weigher) const;
  /// The same, weighed by whatever weighs in `other`.
  Route weighed_as(const Route& other) const { return with_roles(chooser_, other.weigher_); }

  /// Rescales this route's scores from moments `from` to `to` ([2,G]).
  Route matched_to(const Tensor& from, const Tensor& to) const;
  /// Routes a share in [0, 1] of the items by `other`'s scores (a route of the same task). Which items is drawn from
  /// (key, site, the pass's step): what is replaced at one share is also replaced at every larger one.
  Route blended(std::shared_ptr<const Route> other, double share, uint64_t key) const;
  /// Always the routing that was recorded at this site. UserError in a pass over other tokens.
  Route replaying(std::shared_ptr<const Recording> recording) const;

  Routing operator()(const RouterInput& input, Pass& pass) const;
  /// What is selected among: the router's scores after the modifiers.
  Scores score(const RouterInput& input, const Pass& pass) const;
  RouteCost cost() const;
  /// Whether nothing after a position decides how it is routed, by what router and selection say of themselves.
  bool causal() const {
    return router_->causal(task_) && selection_->causal(task_) && (!weigher_ || weigher_->causal(task_));
  }
  /// Whether derivatives are meant to reach the router through what is kept.
  bool reaches_router() const { return selection_->reaches_router(); }
  const RoutingTask& task() const { return task_; }
  const RoutingSettings& settings() const { return settings_; }
  /// What scores, without the modifiers; neither what chooses in its place nor what weighs.
  const Router& router() const { return *router_; }

 private:
  struct Blend {
    std::shared_ptr<const Route> other;
    double share = 0;
    uint64_t key = 0;
  };
  Scores modified(Scores scores, const Pass& pass) const;
  Routing select(Scores own, const RouterInput& input, const Pass& pass) const;
  Scores blend(const Scores& own, const RouterInput& input, const Pass& pass) const;
  void leave_notes(const RouterInput& input, const Routing& routing, Pass& pass) const;
  Site site_;
  RoutingTask task_;
  RoutingSettings settings_;
  std::shared_ptr<const Router> router_, chooser_, weigher_;  // null: router_ does it
  std::shared_ptr<const Selection> selection_;
  std::vector<Loss> losses_;
  Tensor from_, to_;  // [2,G] or undefined
  std::shared_ptr<const Recording> recording_;
  std::optional<Blend> blend_;
};

/// Called with every routing of a pass.
using Observer = std::function<void(const Site&, const Routing&, const RouterInput&)>;
/// Called at every layer of experts with its output y [B,T,D], before dropout, and a function for what each expert
/// alone would have put out for the N = B T tokens, [N,E,D].
using ExpertObserver = std::function<void(const Site&, const Tensor& y, const std::function<Tensor()>& each)>;

struct Routes {
  std::map<Site, std::shared_ptr<const Route>> at;
  Observer observe = {};  // empty: nobody looks
  ExpertObserver observe_experts = {};
  std::map<Site, Tensor> gains = {};  // [B,T,E] nats: native scores of experts, measured beforehand on this batch

  /// The route of a site, or null where the layer is plain.
  const Route* find(const Site& site) const;
  /// These routes with another one at `site`.
  Routes with(const Site& site, std::shared_ptr<const Route> route) const;
};

/// Builds the route of one site; its router's parameters are added below `parameters` under the site's name.
std::shared_ptr<const Route> make_route(const Site& site, const RoutingTask& task, const RoutingSettings& settings,
                                        const Parameters& parameters, const Moments* to = nullptr);

}  // namespace absorb
