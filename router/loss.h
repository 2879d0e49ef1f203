// Losses on the routing itself, added to the language model's. They live in one registry beside routers and selections.
#pragma once

#include "core/registry.h"
#include "router/routing.h"

namespace absorb {

class RoutingLoss {
 public:
  virtual ~RoutingLoss() = default;
  /// Scalar, not yet multiplied by its coefficient.
  virtual Tensor loss(const Routing& routing, const RoutingTask& task) const = 0;
};

using RoutingLosses = Registry<RoutingLoss, const RoutingTask&>;

/// What every routing loss's table starts with.
struct LossSettings {
  double coefficient = 1;
  std::string reach = "all";
};
void fields(Fields& list, LossSettings& settings);

}  // namespace absorb
