// Losses on the routing itself, added to the language model's. They live in one registry beside routers and selections.
#pragma once

#include "router/router.h"

namespace absorb {

class RoutingLoss {
 public:
  /// What a loss claims of itself; `absorb conform` measures every claim.
  struct Traits {
    bool attention = true, moe = true;  // the targets that it has a form for
    bool native = false;                // attention: needs the layer's own scores
    bool gains = false;                 // experts: needs their measured gains
  };
  virtual ~RoutingLoss() = default;
  /// Scalar, not yet multiplied by its coefficient. `input` is what the router was asked with.
  virtual Tensor loss(const Routing& routing, const RouterInput& input, const RoutingTask& task) const = 0;
};

using RoutingLosses = Registry<RoutingLoss, const RoutingTask&>;

/// What every routing loss's table starts with.
struct LossSettings {
  double coefficient = 1;
  std::string reach = "all";
};
void fields(Fields& list, LossSettings& settings);

}  // namespace absorb
