#include "router/route.h"

#include <torch/types.h>

#include <algorithm>

#include "core/error.h"
#include "router/kernels.h"

namespace absorb {

Route::Route(Site site, RoutingTask task, RoutingSettings settings, std::shared_ptr<const Router> router,
             std::shared_ptr<const Selection> selection, std::vector<Loss> losses)
    : site_(std::move(site)),
      task_(task),
      settings_(std::move(settings)),
      router_(std::move(router)),
      selection_(std::move(selection)),
      losses_(std::move(losses)) {}

Route Route::matched_to(const Tensor& from, const Tensor& to) const {
  Route route = *this;
  route.from_ = from;
  route.to_ = to;
  return route;
}

Route Route::blended(std::shared_ptr<const Route> other, double share, uint64_t key) const {
  check(share >= 0 && share <= 1, "[Route] a share of {} of the items", share);
  Route route = *this;
  route.blend_ = Blend{std::move(other), share, key};
  return route;
}

Scores Route::blend(const Scores& own, const RouterInput& input, const Pass& pass) const {
  const Tensor mine = dense(own), other = dense(blend_->other->score(input, pass));  // [B,G,T,C]
  const int64_t batch = input.items.size(0), items = input.items.size(1);
  const Tensor drawn =
      uniform({stream_key(blend_->key, "blend/" + site_), pass.in.step}, {batch, 1, items, 1}, mine.device());
  return scores_of(at::where(drawn < blend_->share, other, mine));
}

Route Route::replaying(std::shared_ptr<const Recording> recording) const {
  require(recording->at.contains(site_), "nothing was recorded at {}", site_);
  Route route = *this;
  route.recording_ = std::move(recording);
  return route;
}

Route Route::with_roles(std::shared_ptr<const Router> chooser, std::shared_ptr<const Router> weigher) const {
  Route route = *this;
  route.chooser_ = std::move(chooser);
  route.weigher_ = std::move(weigher);
  return route;
}

Scores Route::score(const RouterInput& input, const Pass& pass) const {
  Scores scores = modified(router_->score(input, pass), pass);
  return blend_ ? blend(scores, input, pass) : scores;
}

Scores Route::modified(Scores scores, const Pass& pass) const {
  scores.fused = pass.kernels() != nullptr;
  if (settings_.temperature != 1) scores = scaled(std::move(scores), 1 / settings_.temperature);
  if (to_.defined()) scores = matched(std::move(scores), from_, to_);
  if (settings_.shuffled) scores = shuffled(std::move(scores));
  if (settings_.noise > 0 && pass.in.training) {
    check(scores.noise == 0, "two sources of noise at one site");
    scores.noise = settings_.noise;
    scores.key = pass.random("routing noise", site_);
  }
  return scores;
}

Routing Route::select(Scores own, const RouterInput& input, const Pass& pass) const {
  if (!chooser_ && !weigher_) return selection_->select(std::move(own), task_, pass);
  const Scores choice = materialised(detached(chooser_ ? modified(chooser_->score(input, pass), pass) : own));
  Routing routing = selection_->select(choice, task_, pass);
  routing.choice = choice;
  if (routing.gradient == Gradient::straight_through && (weigher_ || routing.gate)) routing.gate = own;
  if (!weigher_) {
    routing.scores = std::move(own);
    return routing;
  }
  routing.scores = weigher_->score(input, pass);
  routing.scores.fused = pass.kernels() != nullptr;
  return routing;
}

RouteCost Route::cost() const {
  // What draws a choice anew, or keeps an old one, is the experiment's, not the arm's.
  RouteCost cost{router_->cost(task_), selection_->cost(task_), {}};
  if (weigher_) cost.router += weigher_->cost(task_);
  for (const Loss& loss : losses_)
    if (loss.coefficient != 0) cost.losses[loss.name] = loss.loss->cost(task_);
  return cost;
}

namespace {

RouterInput detached(const RouterInput& input) {
  RouterInput out = input;
  out.items = input.items.detach();
  if (input.choices.defined()) out.choices = input.choices.detach();
  out.native = absorb::detached(input.native);
  return out;
}

}  // namespace

Routing Route::operator()(const RouterInput& input, Pass& pass) const {
  if (recording_) {
    require(pass.in.tokens.defined() && at::equal(pass.in.tokens, recording_->tokens),
            "the recording at {} is of other tokens: a routing can only be replayed on the batch it was made from",
            site_);
    return recording_->at.at(site_);
  }
  const RouterInput& sees = settings_.detach_input ? detached(input) : input;
  Scores scores = score(sees, pass);
  // A loss reads the same [T,C] scores that the layer does: one product for both, forward and backward. Kernels never
  // make that product.
  const bool shared = pass.in.training && !has_factors_for_kernels(scores) &&
                      std::any_of(losses_.begin(), losses_.end(), [this](const Loss& loss) {
                        return loss.coefficient != 0 && (!loss.router_only || settings_.detach_input);
                      });
  if (shared) scores = materialised(scores);
  Routing routing = select(scores, sees, pass);
  for (const Loss& loss : losses_) {
    if (!pass.in.training || loss.coefficient == 0) continue;
    Routing seen = routing;
    if (weigher_) seen.scores = scores;  // losses are on what chooses
    if (loss.router_only && !settings_.detach_input) seen.scores = score(detached(input), pass);
    const Tensor value = loss.loss->loss(seen, input, task_);
    pass.out.losses[site_ + '/' + loss.name] = loss.coefficient == 1 ? value : value * loss.coefficient;
  }
  leave_notes(input, routing, pass);
  return routing;
}

void Route::leave_notes(const RouterInput& input, const Routing& routing, Pass& pass) const {
  if (pass.in.account) pass.out.densities[site_] = density(routing);
  if (!pass.in.training || !(router_->has_state() || selection_->has_state())) return;
  Routing kept = routing;
  kept.scores = absorb::detached(routing.scores);
  kept.gate.reset();
  auto update = [router = router_, selection = selection_](std::span<const AfterStep::Seen> all) {
    std::vector<Routed> step;
    std::vector<Routing> routings;
    for (const AfterStep::Seen& seen : all) {
      step.push_back(*static_cast<const Routed*>(seen.get()));
      routings.push_back(step.back().routing);
    }
    if (router->has_state()) router->after_step(step);
    if (selection->has_state()) selection->after_step(routings);
  };
  pass.out.after_step.push_back({site_, std::make_shared<const Routed>(Routed{detached(input), kept}), update});
}

const Route* Routes::find(const Site& site) const {
  const auto found = at.find(site);
  return found == at.end() ? nullptr : found->second.get();
}

Routes Routes::with(const Site& site, std::shared_ptr<const Route> route) const {
  Routes routes = *this;
  routes.at[site] = std::move(route);
  return routes;
}

namespace {

struct Roles {
  std::shared_ptr<const Router> router, chooser, weigher;
};

// `scope`: of the router itself. What it chooses and weighs by is added beside it, and shares no product with anything.
Roles make_roles(const Site& site, const RoutingTask& task, const RoutingSettings& settings,
                 const Parameters& parameters, const Parameters& scope, bool chooses) {
  const Routers& routers = registries().routers;
  const auto [redraw_every, lag] = settings.choose;
  const bool follows = redraw_every > 0 || lag > 0, apart = follows && chooses;
  require(lag == 0 || apart, "routing.choose.lag: the selection \"{}\" keeps every choice, so that none can be old",
          settings.selection.type);
  require(settings.weigh.type.empty() || chooses,
          "routing.weigh: the selection \"{}\" keeps every choice: one router weighs them all",
          settings.selection.type);
  const bool itself = follows && !apart && settings.frozen;
  Roles roles{routers.make(settings.router, task, itself ? scope.following(scope, redraw_every, 0) : scope), {}, {}};
  RoutingTask beside = task;
  beside.input.clear();
  if (apart)
    roles.chooser = routers.make(settings.router, beside,
                                 parameters.scope(site).scope("choose").following(scope, redraw_every, lag));
  if (!settings.weigh.type.empty()) {
    beside.component.part = task.attention() ? Part::attention_weigher : Part::expert_weigher;
    roles.weigher = routers.make(settings.weigh, beside, parameters.scope(site).scope("weigh"));
  }
  return roles;
}

}  // namespace

std::shared_ptr<const Route> make_route(const Site& site, const RoutingTask& base, const RoutingSettings& settings,
                                        const Parameters& parameters, const Moments* to) {
  RoutingTask task = base;
  task.score_sd = settings.score_sd;
  const std::string kind = task.attention() ? "attention" : "moe";
  require(!settings.router.type.empty(), "routing.router is missing: say which router scores the choices of {}", kind);
  require(!settings.selection.type.empty(), "routing.selection is missing: say what selects among the choices of {}",
          kind);
  const Registries& all = registries();
  Parameters scope = parameters.scope(site).scope("router");
  if (settings.frozen) scope = scope.frozen();
  if (settings.draw != 0) scope = scope.redrawn(settings.draw);
  auto selection = all.selections.make(settings.selection, task, scope);
  const Roles roles = make_roles(site, task, settings, parameters, scope, selection->chooses());
  std::vector<Route::Loss> losses;
  for (const auto& [name, typed] : settings.losses) {
    const LossSettings common = common_settings(typed);
    losses.push_back({name, common.coefficient, common.reach == "router", all.losses.make(typed, task)});
  }
  const Route route = Route(site, task, settings, roles.router, std::move(selection), std::move(losses))
                          .with_roles(roles.chooser, roles.weigher);
  if (to != nullptr) {
    require(to->contains(site), "routing.moments_of = \"{}\": that arm has no router at {}", settings.moments_of, site);
    require(to->at(site).size(1) == task.groups, "routing.moments_of = \"{}\": another number of heads at {}",
            settings.moments_of, site);
    const Tensor sd = at::full({task.groups}, settings.score_sd == 0 ? 1.0 : settings.score_sd, at::kDouble);
    return std::make_shared<Route>(route.matched_to(at::stack({at::zeros_like(sd), sd}), to->at(site)));
  }
  return std::make_shared<Route>(route);
}

}  // namespace absorb
