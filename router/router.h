// The shared abstraction's open half: what scores choices. One Router drives token-level attention gating and expert
// routing alike; the same type is used for both, and the task says which it is.
#pragma once

#include "core/registry.h"
#include "router/scores.h"

namespace absorb {

struct RouterInput {
  Tensor items;    // [B,T,D]
  Tensor choices;  // [B,C,D] features of the choices; undefined where choices have none (experts): the router keeps a
                   // table
  Scores native;   // the layer's own preference (factored q, k); its items are undefined if there is none
};

class Router {
 public:
  virtual ~Router() = default;
  /// Scores of every choice for every item; differentiable in the input and in the router's parameters.
  virtual Scores score(const RouterInput& input, const Pass& pass) const = 0;
};

/// A router is made from its settings, its task and the scope that its parameters live in.
using Routers = Registry<Router, const RoutingTask&, Parameters>;

/// Scores with the sizes of this task and input filled in.
Scores sized_scores(const RoutingTask& task, const RouterInput& input);
/// [B,N,G*R] -> [B,G,N,R]
Tensor split_groups(const Tensor& x, int64_t groups);

}  // namespace absorb
