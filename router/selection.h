// The shared abstraction's second open half: what selects among scored choices.
#pragma once

#include "core/registry.h"
#include "router/routing.h"

namespace absorb {

class Selection {
 public:
  virtual ~Selection() = default;
  /// Turns scores into a routing. UserError when this selection makes no sense for the task.
  virtual Routing select(Scores scores, const RoutingTask& task, const Pass& pass) const = 0;
};

using Selections = Registry<Selection, const RoutingTask&, Parameters>;

}  // namespace absorb
