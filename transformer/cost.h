// What one token costs in the whole model, asked of the operations and of the types that route them (tensors/cost.h):
// matching, the floor of a step, estimates and reports read this.
#pragma once

#include "attention/cost.h"
#include "moe/cost.h"
#include "transformer/model.h"

namespace absorb {

struct ModelCost {
  int64_t layers = 0;
  int64_t routed_layers = 0, expert_layers = 0;  // that attention is routed in, that hold experts
  Cost embedding, head;                     // tied: the embedding holds the parameters, the head has the operations
  Cost norm;                                // of one; there are 2 layers + 1
  AttentionCost attention;                  // of one layer, as all that follow
  HiddenCost dense;                         // the feed-forward layer of layers without experts
  HiddenCost hidden;                        // the experts, or dense again where no layer has any
  HiddenCost shared;                        // the expert that all tokens pass, beside the experts
  RouteCost attention_route, expert_route;  // zero where the target routes nothing there
  double active_experts = 0;                // of each token; 0 without experts

  /// All layers' attention, hidden layers, routers and selections. Losses on the routing are training's alone.
  Cost whole() const;
};

/// `ids`: of the data. `routes`: those of one target, alike in every layer.
ModelCost model_cost(const ModelSettings& settings, int64_t ids, bool experts, const Routes& routes);

/// Forward operations of a token that sees `keys` keys, by what routings kept: attention's two products with the kept
/// keys alone, the kept experts alone; routers score every choice. `densities` are float scalars (PassOutput); the
/// result is one, too. A site of `routes` that has no density counts as `cost` says.
Tensor realised_operations(const ModelCost& cost, const Routes& routes, const std::map<Site, Tensor>& densities,
                           double keys);

}  // namespace absorb
