// Where each expert's share of a grouped product's work begins, worked out by every block for itself. For .cu files
// alone.
#pragma once

#include <cstdint>

namespace absorb::kernels {

/// first [E+1]: the sums of work(rows of an expert) over the experts before. All threads of the block call it.
template <class Work>
__device__ __forceinline__ void first_of_experts(const int32_t* ends, int experts, int* first, Work work) {
  for (int e = threadIdx.x; e < experts; e += blockDim.x) first[e + 1] = work(ends[e] - (e ? ends[e - 1] : 0));
  __syncthreads();
  if (threadIdx.x < 32) {
    const int lane = threadIdx.x;
    int sum = 0;
    for (int begin = 0; begin < experts; begin += 32) {
      int x = begin + lane < experts ? first[begin + lane + 1] : 0;
#pragma unroll
      for (int step = 1; step < 32; step *= 2) {
        const int below = __shfl_up_sync(0xffffffffu, x, step);
        if (lane >= step) x += below;
      }
      if (begin + lane < experts) first[begin + lane + 1] = sum + x;
      sum += __shfl_sync(0xffffffffu, x, 31);
    }
    if (lane == 0) first[0] = 0;
  }
  __syncthreads();
}

}  // namespace absorb::kernels
