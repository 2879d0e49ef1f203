// Two layers: w_h . gelu(A x_s) per head for attention, W gelu(A x_t) for experts (science.md section 3). Its linear
// twin is `linear`.
#pragma once

#include "router/router.h"

namespace absorb {

struct MlpSettings {
  int64_t hidden = 64;
};
void fields(Fields& list, MlpSettings& settings);

void add_mlp(Routers& routers);

}  // namespace absorb
