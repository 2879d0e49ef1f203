// Parameter-free routing by means: q . mean of the keys of a block in attention (MoBA, arXiv:2502.13189), x . running
// mean of the tokens that an expert served in MoE (science.md section 3).
#pragma once

#include "router/router.h"

namespace absorb {

struct BlockMeanSettings {
  int64_t block = 16;
  double rate = 0.01;
};
void fields(Fields& list, BlockMeanSettings& settings);

void add_block_mean(Routers& routers);

}  // namespace absorb
