// Routers that learn nothing, for controls and references: `constant` (equal scores), `own` (the layer's own
// preference, so that own + top_k is the oracle) and `redrawn` (fresh noise every step, so that redrawn + top_k is
// stochastic routing).
#pragma once

#include "router/router.h"

namespace absorb {

void add_controls(Routers& routers);

}  // namespace absorb
