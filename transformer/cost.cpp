#include "transformer/cost.h"

#include "moe/activation.h"

namespace absorb {
namespace {

// The first route of a kind, which stands for those of every layer.
RouteCost first_route(const Routes& routes, bool attention) {
  for (const auto& [site, route] : routes.at)
    if (route->task().attention() == attention) return route->cost();
  return {};
}

}  // namespace

Cost ModelCost::whole() const {
  const Cost keys = attention_route.router + attention_route.selection.own,
             experts = hidden.whole() + shared.whole() + expert_route.router + expert_route.selection.own;
  return embedding + head + times(norm, 2 * layers + 1) + times(attention.whole(), layers) +
         times(keys, routed_layers) + times(dense.whole(), layers - expert_layers) + times(experts, expert_layers);
}

ModelCost model_cost(const ModelSettings& settings, int64_t ids, bool experts, const Routes& routes) {
  const int64_t vocabulary = vocabulary_rows(settings, ids);
  const int64_t width = settings.width, hidden = hidden_width(settings);
  const auto d = static_cast<double>(width);
  ModelCost cost;
  cost.layers = settings.layers;
  for (const auto& [site, route] : routes.at) ++(route->task().attention() ? cost.routed_layers : cost.expert_layers);
  const int64_t positions = settings.position == "learned" ? settings.context : 0;
  cost.embedding = {.parameters = (vocabulary + positions) * width, .results = d};
  cost.head = product_cost(width, vocabulary);
  if (settings.tied) cost.head.parameters = 0;
  cost.norm = {.parameters = (settings.norm == "layer" ? 2 : 1) * width, .results = d};
  cost.attention = attention_cost(settings.attention, attention_shape(settings, 0));
  cost.attention_route = first_route(routes, true);
  cost.expert_route = first_route(routes, false);
  const auto layer = [&](int64_t of, const std::string& activation, bool biases) {
    return HiddenCost{product_cost(width, inputs_of_activation(activation) * of, biases),
                      product_cost(of, width, biases)};
  };
  cost.hidden = cost.dense = layer(hidden, settings.activation, settings.biases);
  if (!experts) return cost;
  MoeSettings moe = settings.moe;
  moe.hidden = expert_width(settings);
  if (moe.shared > 0) cost.shared = layer(moe.shared, moe.activation, moe.biases);
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
    const double whole = task.attention() ? counted : counted * static_cast<double>(task.choices) / cost.active_experts;
    rest -= counted;
    out = out.defined() ? out + density * whole : density * whole;
  }
  return out.defined() ? out + rest : at::full({}, rest);
}

}  // namespace absorb
