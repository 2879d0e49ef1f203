#include "transformer/cost.h"

namespace absorb {
namespace {

// The first route of a kind, which stands for those of every layer.
RouteCost first_route(const Routes& routes, bool attention) {
  for (const auto& [site, route] : routes.at)
    if (route->task().attention() == attention) return route->cost();
  return {};
}

}  // namespace

Cost ModelCost::layer() const {
  return attention.whole() + hidden.whole() + attention_route.router + attention_route.selection.own +
         expert_route.router + expert_route.selection.own;
}

Cost ModelCost::whole() const {
  return embedding + head + times(norm, 2 * layers + 1) + times(layer(), layers);
}

ModelCost model_cost(const ModelSettings& settings, int64_t vocabulary, bool experts, const Routes& routes) {
  const int64_t width = settings.width, hidden = settings.feed_forward > 0 ? settings.feed_forward : 4 * width;
  const auto d = static_cast<double>(width);
  ModelCost cost;
  cost.layers = settings.layers;
  cost.embedding = {.parameters = (vocabulary + settings.context) * width, .results = d};
  cost.head = product_cost(width, vocabulary);
  cost.head.parameters = 0;
  cost.norm = {.parameters = 2 * width, .results = d};
  cost.attention = attention_cost(settings.attention, {.width = width, .heads = settings.heads});
  cost.attention_route = first_route(routes, true);
  cost.expert_route = first_route(routes, false);
  if (!experts) {
    cost.hidden = {product_cost(width, hidden, true), product_cost(hidden, width, true)};
    return cost;
  }
  MoeSettings moe = settings.moe;
  if (moe.hidden == 0) moe.hidden = std::max<int64_t>(hidden / moe.experts, 1);
  const double active = cost.expert_route.selection.active;
  cost.active_experts = active > 0 ? active : static_cast<double>(moe.experts);
  cost.hidden = experts_cost(moe, {.width = width}, cost.active_experts);
  return cost;
}

Tensor realised_operations(const ModelCost& cost, const Routes& routes, const std::map<Site, Tensor>& densities,
                           double keys) {
  Tensor out;
  double rest = cost.whole().operations_with(keys);
  for (const auto& [site, density] : densities) {
    const RoutingTask& task = routes.at.at(site)->task();
    const double counted =
        task.attention() ? cost.attention.attend.pair_operations * keys : cost.hidden.whole().operations;
    const double whole =
        task.attention() ? counted : counted * static_cast<double>(task.choices) / cost.active_experts;
    rest -= counted;
    out = out.defined() ? out + density * whole : density * whole;
  }
  return out.defined() ? out + rest : at::full({}, rest);
}

}  // namespace absorb
