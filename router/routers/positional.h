// Routing by position alone: a learned function of t - s per head in attention, a learned table over t mod period in
// MoE (science.md section 3). What it reaches, content can't be needed for.
#pragma once

#include "router/router.h"

namespace absorb {

struct PositionalSettings {
  int64_t period = 16;
};
void fields(Fields& list, PositionalSettings& settings);

void add_positional(Routers& routers);

}  // namespace absorb
