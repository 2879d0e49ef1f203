// Routing by token identity alone, fixed for ever: z(token_t) . z(token_s) / sqrt(r) with fixed random z in attention,
// a fixed random preference of each token id in MoE (Hash layers, arXiv:2106.04426; science.md section 3).
#pragma once

#include "router/router.h"

namespace absorb {

struct HashSettings {
  int64_t rank = 16;
};
void fields(Fields& list, HashSettings& settings);

void add_hash(Routers& routers);

}  // namespace absorb
