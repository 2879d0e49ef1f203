// The cosine of the bilinear router's factors times a learned scale per head (science.md section 3; for experts as in
// X-MoE, arXiv:2204.09179): what a choice's score can gain from the length of its features is taken away.
#pragma once

#include "router/router.h"

namespace absorb {

struct CosineSettings {
  int64_t rank = 32;
};
void fields(Fields& list, CosineSettings& settings);

void add_cosine(Routers& routers);

}  // namespace absorb
