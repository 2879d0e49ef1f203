// The usual MoE router, W x_t, and its twin in attention, w_h . x_s: a key's score that no query changes.
#pragma once

#include "router/router.h"

namespace absorb {

void add_linear(Routers& routers);

}  // namespace absorb
