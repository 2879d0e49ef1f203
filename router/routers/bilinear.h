// The paper's gate, arXiv:2603.02227: (W_a x_t) . (W_b x_s) / sqrt(r) per head for attention, and its twin
// (W_a x_t) . u_e / sqrt(r) with a learned table u for experts (science.md section 3).
#pragma once

#include "router/router.h"

namespace absorb {

struct BilinearSettings {
  int64_t rank = 32;
};
void fields(Fields& list, BilinearSettings& settings);

void add_bilinear(Routers& routers);

}  // namespace absorb
