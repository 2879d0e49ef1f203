// A stable counting sort in two launches: every block counts its stretch of the pairs, then every block adds up the
// counts before its own and writes its stretch's places, a rank within 256 pairs coming from a match over the warp.
#include <cuda_runtime.h>

#include <algorithm>
#include <stdexcept>

#include "moe/cuda/dispatch.cuh"
#include "tensors/cuda/launch.cuh"

namespace absorb::kernels {
namespace {

constexpr int threads = 256, warps = threads / 32;
constexpr int64_t most_blocks = 128;

struct Stretches {
  int64_t pairs;
  int experts, blocks;
  int64_t each;  // pairs of a block, a multiple of `threads`
};

Stretches stretches_of(int64_t pairs, int64_t experts) {
  const int64_t steps = (pairs + threads - 1) / threads;
  const int64_t steps_each = std::max<int64_t>((steps + most_blocks - 1) / most_blocks, 1);
  const int64_t blocks = std::max<int64_t>((steps + steps_each - 1) / steps_each, 1);
  return {pairs, static_cast<int>(experts), static_cast<int>(blocks), steps_each * threads};
}

// counts [E, blocks]
__global__ void __launch_bounds__(threads) count_pairs(Stretches s, const int32_t* kept, int32_t* counts) {
  __shared__ int32_t count[most_dispatched_experts];
  for (int e = threadIdx.x; e < s.experts; e += threads) count[e] = 0;
  __syncthreads();
  const int64_t begin = blockIdx.x * s.each, end = min(begin + s.each, s.pairs);
  for (int64_t i = begin + threadIdx.x; i < end; i += threads) atomicAdd(&count[kept[i]], 1);  // integers: any order
  __syncthreads();
  for (int e = threadIdx.x; e < s.experts; e += threads) counts[e * s.blocks + blockIdx.x] = count[e];
}

__device__ __forceinline__ int warp_inclusive_sum(int x) {
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const int below = __shfl_up_sync(0xffffffffu, x, step);
    if (static_cast<int>(threadIdx.x % 32) >= step) x += below;
  }
  return x;
}

// next[e]: the place of this block's first pair of expert e.
__device__ void first_places(const Stretches& s, const int32_t* counts, int32_t* next, int32_t* totals, int32_t* ends) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int e = warp; e < s.experts; e += warps) {
    int before = 0, total = 0;
    for (int b = lane; b < s.blocks; b += 32) {
      const int count = counts[e * s.blocks + b];
      total += count;
      if (b < static_cast<int>(blockIdx.x)) before += count;
    }
    before = __reduce_add_sync(0xffffffffu, before);
    total = __reduce_add_sync(0xffffffffu, total);
    if (lane == 0) {
      next[e] = before;
      totals[e] = total;
    }
  }
  __syncthreads();
  if (warp == 0) {
    int sum = 0;
    for (int first = 0; first < s.experts; first += 32) {
      const int e = first + lane;
      const int total = e < s.experts ? totals[e] : 0;
      const int end = sum + warp_inclusive_sum(total);
      if (e < s.experts) {
        next[e] += end - total;
        if (blockIdx.x == 0) ends[e] = end;
      }
      sum = __shfl_sync(0xffffffffu, end, 31);
    }
  }
  __syncthreads();
}

// Dynamic shared memory: next [E], totals [E] (free afterwards), in_warp [warps,E].
__global__ void __launch_bounds__(threads)
    place_pairs(Stretches s, const int32_t* kept, const int32_t* counts, Dispatched out) {
  extern __shared__ int32_t shared[];
  int32_t *next = shared, *totals = next + s.experts, *in_warp = totals + s.experts;
  first_places(s, counts, next, totals, out.ends);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t begin = blockIdx.x * s.each, end = min(begin + s.each, s.pairs);
  for (int64_t step = begin; step < end; step += threads) {
    for (int i = threadIdx.x; i < warps * s.experts; i += threads) in_warp[i] = 0;
    __syncthreads();
    const int64_t pair = step + threadIdx.x;
    const int expert = pair < end ? kept[pair] : -1;
    const uint32_t same = __match_any_sync(0xffffffffu, expert);
    const int rank = __popc(same & ((1u << lane) - 1));
    if (expert >= 0 && rank == 0) in_warp[warp * s.experts + expert] = __popc(same);
    __syncthreads();
    if (expert >= 0) {
      int place = next[expert] + rank;
      for (int w = 0; w < warp; ++w) place += in_warp[w * s.experts + expert];
      out.order[place] = static_cast<int32_t>(pair);
      out.inverse[pair] = place;
    }
    __syncthreads();
    for (int e = threadIdx.x; e < s.experts; e += threads)
      for (int w = 0; w < warps; ++w) next[e] += in_warp[w * s.experts + e];
    __syncthreads();
  }
}

}  // namespace

int64_t dispatch_workspace(int64_t pairs, int64_t experts) {
  return experts * stretches_of(pairs, experts).blocks;
}

void dispatch_pairs(const int32_t* kept, int64_t pairs, int64_t experts, const Dispatched& out, int32_t* workspace,
                    void* stream) {
  if (experts < 1 || experts > most_dispatched_experts)
    throw std::runtime_error("dispatch_pairs: 1 <= E <= 1024 must hold");
  const Stretches s = stretches_of(pairs, experts);
  const auto blocks = static_cast<unsigned>(s.blocks);
  const std::size_t bytes = static_cast<std::size_t>((2 + warps) * experts) * sizeof(int32_t);
  count_pairs<<<blocks, threads, 0, stream_of(stream)>>>(s, kept, workspace);
  check_launch("count_pairs");
  place_pairs<<<blocks, threads, bytes, stream_of(stream)>>>(s, kept, workspace, out);
  check_launch("place_pairs");
}

}  // namespace absorb::kernels
