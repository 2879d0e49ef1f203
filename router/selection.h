// The shared abstraction's second open half: what selects among scored choices.
#pragma once

#include <span>

#include "core/registry.h"
#include "router/routing.h"
#include "tensors/cost.h"

namespace absorb {

/// What a selection costs, and what it spares the layer.
struct SelectionCost {
  double active = 0;  // choices of each item that the layer has to compute in training, unseen ones included
  Cost own = {};
};
/// Of a selection that leaves every choice to be computed.
inline SelectionCost cost_of_all(const RoutingTask& task) {
  return {static_cast<double>(task.attention() ? task.context : task.choices)};
}

class Selection {
 public:
  /// What a selection claims of itself; `absorb conform` measures every claim.
  struct Traits {
    bool attention = true, moe = true;  // the targets that it has a form for
    bool budget = false;                // keeps exactly settings.k choices of every item that sees as many
  };
  virtual ~Selection() = default;
  /// Turns scores into a routing. UserError when this selection makes no sense for the task.
  virtual Routing select(Scores scores, const RoutingTask& task, const Pass& pass) const = 0;
  /// No default: a layer of few active experts would be taken for one that runs them all.
  virtual SelectionCost cost(const RoutingTask& task) const = 0;
  /// Whether derivatives are meant to reach the router through what is kept. Where not, a router that training leaves
  /// alone is no fault.
  virtual bool reaches_router() const { return true; }
  /// Whether nothing after position t decides what item t keeps and how it is weighed, given causal scores. Where not,
  /// a run has to allow it (routing.allow_noncausal).
  virtual bool causal(const RoutingTask&) const { return true; }
  /// Whether it keeps some choices and leaves others, so that choosing and weighing can be told apart.
  virtual bool chooses() const { return true; }
  /// Whether it keeps numbers that training changes without a gradient (in Parameters::state).
  virtual bool has_state() const { return false; }
  /// Called once a training step, without gradients, with what each of its micro-batches selected, if has_state(). How
  /// a step is cut into micro-batches must not show in the state.
  virtual void after_step(std::span<const Routing>) const {}
};

using Selections = Registry<Selection, const RoutingTask&, Parameters>;

}  // namespace absorb
