// What one layer of experts costs, without its routing (tensors/cost.h).
#pragma once

#include "moe/moe.h"
#include "tensors/cost.h"

namespace absorb {

/// The two products of a feed-forward layer, or of the experts that a token passes.
struct HiddenCost {
  Cost in, out;
  Cost whole() const { return in + out; }
};
/// Parameters of all experts, operations of the `active` ones that each token passes. settings.hidden is stated.
HiddenCost experts_cost(const MoeSettings& settings, const MoeShape& shape, double active);

}  // namespace absorb
