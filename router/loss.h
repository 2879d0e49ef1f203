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
    bool one_at_balance = false;        // experts: 1 where every expert serves as many and is as probable
  };
  virtual ~RoutingLoss() = default;
  /// Scalar, not yet multiplied by its coefficient. `input` is what the router was asked with.
  virtual Tensor loss(const Routing& routing, const RouterInput& input, const RoutingTask& task) const = 0;
  /// Of one pass in training; most losses read every score once.
  virtual Cost cost(const RoutingTask&) const { return {.score_passes = 1}; }
};

using RoutingLosses = Registry<RoutingLoss, const RoutingTask&>;

/// What every routing loss's table starts with.
struct LossSettings {
  double coefficient = 1;
  std::string reach = "all";
};
void fields(Fields& list, LossSettings& settings);
/// That start of a loss's resolved table.
LossSettings common_settings(const Typed& loss);

}  // namespace absorb
