// The shared abstraction's open half: what scores choices. One Router drives token-level attention gating and expert
// routing alike; the same type is used for both, and the task says which it is.
#pragma once

#include <span>

#include "core/registry.h"
#include "router/routing.h"
#include "tensors/cost.h"

namespace absorb {

struct RouterInput {
  Tensor items;    // [B,T,D]
  Tensor choices;  // [B,C,D] features of the choices; undefined where choices have none (experts): the router keeps a
                   // table
  Scores native;   // the layer's own preference: factored q, k in attention; measured gains of experts where a pass
                   // brings them (Routes::native); neither items nor dense values where there is none
};
bool has_native(const RouterInput& input);

/// What one micro-batch routed at a site.
struct Routed {
  RouterInput input;
  Routing routing;
};

class Router {
 public:
  /// What a router claims of itself; `absorb conform` measures every claim.
  struct Traits {
    bool attention = true, moe = true;  // the targets that it has a form for
    bool learns = true;                 // scores depend, differentiably, on parameters of its own
    bool reads_input = true;            // scores depend, differentiably, on items and choices
    bool native = false;                // attention: needs the layer's own scores
    bool gains = false;                 // experts: needs their measured gains
    bool draws = false;                 // fresh noise at every step
    bool tokens = false;                // reads token ids
  };
  virtual ~Router() = default;
  /// Scores of every choice for every item; differentiable in the input and in the router's parameters.
  virtual Scores score(const RouterInput& input, const Pass& pass) const = 0;
  /// What it costs at one site of this task, its parameters and the product of its factors with every choice included.
  /// No default: arms of equal operations would differ by what a router forgot to state.
  virtual Cost cost(const RoutingTask& task) const = 0;
  /// Whether nothing after position t decides the scores of item t, of this pass. Where not, a run has to allow it
  /// (routing.allow_noncausal).
  virtual bool causal(const RoutingTask&) const { return true; }
  /// Whether it keeps numbers that training changes without a gradient (in Parameters::state).
  virtual bool has_state() const { return false; }
  /// Called once a training step, without gradients, with what each of its micro-batches routed, if has_state(). How a
  /// step is cut into micro-batches must not show in the state.
  virtual void after_step(std::span<const Routed>) const {}
};

/// A router is made from its settings, its task and the scope that its parameters live in.
using Routers = Registry<Router, const RoutingTask&, Parameters>;

/// The logits of the layer's own preference, [B,G,T,C], without gradient, -inf where a choice isn't visible: QK^T, or
/// the gains of experts over tau. tau is one number a layer and pass, the root mean square, over tokens, of the gain's
/// sd over experts: one for every token would call for the same certainty where experts hardly differ.
Tensor native_logits(const RouterInput& input, const RoutingTask& task);
/// Scores with the sizes of this task and input filled in.
Scores sized_scores(const RoutingTask& task, const RouterInput& input);
/// [B,N,G*R] -> [B,G,N,R]
Tensor split_groups(const Tensor& x, int64_t groups);

}  // namespace absorb
