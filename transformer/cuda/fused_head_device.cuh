// What the fused head's sources share. For .cu files alone.
#pragma once

#include <cstdint>

#include "tensors/cuda/bulk_copy.cuh"
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
/// Calls use.template operator()<width>() for a width that there are kernels for; false for others.
template <class Use>
bool with_head_width(int64_t width, Use use) {
  switch (width) {
    case 128:
      use.template operator()<128>();
      return true;
    case 256:
      use.template operator()<256>();
      return true;
    case 384:
      use.template operator()<384>();
      return true;
    default:
      return false;
  }
}
/// Clusters of two blocks that the current device runs at once.
int head_clusters();

}  // namespace absorb::kernels
