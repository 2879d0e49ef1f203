// The shared abstraction's second open half: what selects among scored choices.
#pragma once

#include "core/registry.h"
#include "router/routing.h"

namespace absorb {

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
  /// Whether it keeps numbers that training changes without a gradient (in Parameters::state).
  virtual bool has_state() const { return false; }
  /// Called without gradients after a training step, with what that step selected, if has_state().
  virtual void after_step(const Routing&) const {}
};

using Selections = Registry<Selection, const RoutingTask&, Parameters>;

}  // namespace absorb
