// What the fused head's sources share. For .cu files alone.
#pragma once

#include <cstdint>

#include "core/cuda/bulk_copy.cuh"
#include "transformer/cuda/fused_head.cuh"

namespace absorb::kernels {

/// Parts that a row's sums may come in.
constexpr int most_head_parts = 8;

/// The largest of a row's logits so far and the sum of exp(logit - largest).
struct Partial {
  float largest, sum;
};

/// The next multiple of 256 rows: of the two tiles that a cluster takes.
inline int64_t padded_head_rows(int64_t rows) {
  return (rows + 255) / 256 * 256;
}
/// Losses, log sums and targets of rows from the parts of their sums, partials [parts, padded rows].
void finish_head_rows(const FusedHead& call, const Partial* partials, int parts, void* stream);
/// This warp has left a stage: both blocks may fill it again.
__device__ __forceinline__ void give_back(hopper::Barrier& empty) {
  if (threadIdx.x % 32 < 2) empty.arrive_at(threadIdx.x % 32);
}
/// Clusters of two blocks that the current device runs at once.
int head_clusters();

}  // namespace absorb::kernels
