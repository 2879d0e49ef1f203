// A stable radix sort, eight bits a pass: at most 64 blocks count the digits of their tiles, then each finds where its
// own begin from all counts and moves them. Made for a batch of tokens (tens of thousands): a pass is two launches.
#include "transformer/cuda/sort_tokens.cuh"

#include <stdexcept>

#include "tensors/cuda/launch.cuh"
#include "transformer/cuda/embedding.cuh"

namespace absorb::kernels {
namespace {

constexpr int digits = 256, threads = 256, warps = threads / 32, most_blocks = 64;

struct Pass {
  const int64_t* tokens;  // the first pass reads these, the others keys and rows
  const uint32_t* keys;
  const int32_t* rows;
  uint32_t* keys_out;
  int32_t* rows_out;
  int32_t* counts;  // [blocks, digits]
  int count, tile;  // tokens in all; and of a block: a multiple of `threads`
  int shift;
  __device__ __forceinline__ uint32_t key(int i) const { return tokens ? static_cast<uint32_t>(tokens[i]) : keys[i]; }
  __device__ __forceinline__ uint32_t digit(int i) const { return key(i) >> shift & (digits - 1); }
};

__global__ void __launch_bounds__(threads) count_digits(Pass a) {
  __shared__ int counts[digits];
  counts[threadIdx.x] = 0;
  __syncthreads();
  const int begin = static_cast<int>(blockIdx.x) * a.tile, end = min(begin + a.tile, a.count);
#pragma unroll 4
  for (int i = begin + static_cast<int>(threadIdx.x); i < end; i += threads) atomicAdd(&counts[a.digit(i)], 1);
  __syncthreads();
  a.counts[blockIdx.x * digits + threadIdx.x] = counts[threadIdx.x];
}

/// Exclusive prefix sum over the block's threads.
__device__ __forceinline__ int before_me(int value, int* shared /* [warps] */) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  int sum = value;
#pragma unroll
  for (int offset = 1; offset < 32; offset *= 2)
    if (const int other = __shfl_up_sync(0xffffffffu, sum, offset); lane >= offset) sum += other;
  if (lane == 31) shared[warp] = sum;
  __syncthreads();
  for (int w = 0; w < warp; ++w) sum += shared[w];
  return sum - value;
}

/// First place of digit threadIdx.x for this block.
__device__ __forceinline__ int first_place(const Pass& a, int* shared) {
  int total = 0, before = 0;
#pragma unroll 8
  for (int b = 0; b < static_cast<int>(gridDim.x); ++b) {
    const int count = a.counts[b * digits + threadIdx.x];
    total += count;
    if (b < static_cast<int>(blockIdx.x)) before += count;
  }
  return before_me(total, shared) + before;
}

__global__ void __launch_bounds__(threads) move_tokens(Pass a) {
  __shared__ int place[warps][digits], scratch[warps];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int each = a.tile / warps;  // a warp's tokens are neighbours
  const int begin = static_cast<int>(blockIdx.x) * a.tile + warp * each, end = min(begin + each, a.count);
  for (int w = 0; w < warps; ++w) place[w][threadIdx.x] = 0;
  __syncthreads();
  for (int i = begin + lane; i < end; i += 32) atomicAdd(&place[warp][a.digit(i)], 1);
  int next = first_place(a, scratch);  // its barrier ends the counting
  for (int w = 0; w < warps; ++w) {
    const int count = place[w][threadIdx.x];
    place[w][threadIdx.x] = next;
    next += count;
  }
  __syncthreads();
  for (int i = begin + lane; i - lane < end; i += 32) {
    const bool live = i < end;
    const uint32_t key = live ? a.key(i) : 0, digit = live ? key >> a.shift & (digits - 1) : digits;
    const unsigned equal = __match_any_sync(0xffffffffu, digit), below = equal & ((1u << lane) - 1);
    const int to = live ? place[warp][digit] + __popc(below) : 0;
    __syncwarp();
    if (live && below == 0) place[warp][digit] += __popc(equal);
    __syncwarp();
    if (!live) continue;
    a.keys_out[to] = key;
    a.rows_out[to] = a.tokens ? i : a.rows[i];
  }
}

int passes_of(int64_t vocabulary) {
  int passes = 1;
  while (passes < 4 && (vocabulary - 1) >> (8 * passes) != 0) ++passes;
  return passes;
}

/// Two buffers of keys and rows, and the counts, in what the caller gave.
struct Buffers {
  uint32_t* keys[2];
  int32_t* rows[2];
  int32_t* counts;
  Buffers(void* sorted, int64_t count) {
    auto* words = static_cast<uint32_t*>(sorted);
    for (int side = 0; side < 2; ++side) {
      keys[side] = words + 2 * side * count;
      rows[side] = reinterpret_cast<int32_t*>(words + (2 * side + 1) * count);
    }
    counts = reinterpret_cast<int32_t*>(words + 4 * count);
  }
};

}  // namespace

void sort_tokens(const int64_t* tokens, int64_t rows, int64_t vocabulary, void* sorted, void* stream) {
  if (rows == 0) return;
  if (rows > (1 << 30) || vocabulary > int64_t{1} << 32)
    throw std::runtime_error("sort_tokens: at most 2^30 tokens and 2^32 ids");
  const Buffers buffers(sorted, rows);
  Pass pass{};
  pass.counts = buffers.counts;
  pass.count = static_cast<int>(rows);
  constexpr int64_t least = 4 * threads;
  pass.tile = static_cast<int>((rows + least * most_blocks - 1) / (least * most_blocks) * least);
  const auto blocks = static_cast<unsigned>((rows + pass.tile - 1) / pass.tile);
  for (int p = 0; p < passes_of(vocabulary); ++p) {
    pass.tokens = p == 0 ? tokens : nullptr;
    pass.keys = buffers.keys[(p + 1) % 2];
    pass.rows = buffers.rows[(p + 1) % 2];
    pass.keys_out = buffers.keys[p % 2];
    pass.rows_out = buffers.rows[p % 2];
    pass.shift = 8 * p;
    count_digits<<<blocks, threads, 0, stream_of(stream)>>>(pass);
    move_tokens<<<blocks, threads, 0, stream_of(stream)>>>(pass);
    check_launch("sort_tokens");
  }
}

size_t sort_tokens_bytes(int64_t rows) {
  return static_cast<size_t>(4 * rows + most_blocks * digits) * 4;
}

SortedTokens sorted_tokens(const void* sorted, int64_t rows, int64_t vocabulary) {
  const Buffers buffers(const_cast<void*>(sorted), rows);
  const int last = (passes_of(vocabulary) - 1) % 2;
  return {buffers.keys[last], buffers.rows[last]};
}

}  // namespace absorb::kernels
