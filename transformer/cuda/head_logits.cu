// Logits with their rows' statistics. A block takes 128 rows and, one after the other, tiles of 192 words: one
// warpgroup starts copies of words, two keep 64 rows of h each in registers as a product's operand, multiply, round,
// send the tile out by a bulk store and add it to their rows' largest and sum of exponentials. The two take turns: one
// multiplies while the other does the rest. Blocks come in clusters of two with the same words: each
// copies half of those to both.
#include <cuda_runtime.h>

#include <algorithm>
#include <stdexcept>

#include "tensors/cuda/bulk_copy.cuh"
#include "tensors/cuda/fast_math.cuh"
#include "tensors/cuda/launch.cuh"
#include "tensors/cuda/swizzle.cuh"
#include "tensors/cuda/vectors.cuh"
#include "tensors/cuda/wgmma.cuh"
#include "transformer/cuda/fused_head.cuh"
#include "transformer/cuda/fused_head_device.cuh"
#include "transformer/cuda/head_shares.h"

namespace absorb::kernels {
namespace {

using namespace hopper;

constexpr int tile_rows = 128, group_rows = 64, tile_words = 192, step_length = 64, row_bytes = 128, stages = 7;
constexpr int w_bytes = tile_words * row_bytes, out_boxes = tile_words / 64, box_bytes = group_rows * row_bytes;
constexpr int first_turn = 3;  // and 4 the other's; barriers 1 and 2 are within a group

struct LogitsArguments {
  HeadShares shares;  // steps are tiles of words
  int rows, padded_rows, vocabulary;
  const Bf16* h;
  Partial* partials;  // [parts, padded rows]
};

struct __align__(1024) Shared {
  unsigned char w[stages][w_bytes];
  unsigned char out[2][out_boxes][box_bytes];  // each warpgroup's rounded logits
  Barrier full[stages], empty[stages];
};

struct Unit {
  int row, part, begin, end;  // the block's first row, its part, tiles of words
  __device__ __forceinline__ Unit(const LogitsArguments& a, int index) {
    part = index % a.shares.parts;
    row = (2 * (index / a.shares.parts) + static_cast<int>(rank_in_cluster())) * tile_rows;
    begin = a.shares.first(part);
    end = a.shares.first(part + 1);
  }
};

/// Calls `work` with every unit of this block's cluster.
template <class Work>
__device__ __forceinline__ void for_units(const LogitsArguments& a, Work work) {
  for (int u = static_cast<int>(blockIdx.x) / 2; u < a.shares.units(); u += static_cast<int>(gridDim.x) / 2)
    work(Unit(a, u));
}

template <int width>
__device__ __forceinline__ void produce(const LogitsArguments& a, Shared& s, const CUtensorMap& w) {
  const uint64_t often = read_often();
  const int half = static_cast<int>(rank_in_cluster()) * (tile_words / 2);
  Turn<stages> turn;
  for_units(a, [&](const Unit& unit) {
    for (int tile = unit.begin; tile < unit.end; ++tile)
      for (int along = 0; along < width; along += step_length, turn.next()) {
        Barrier& full = s.full[turn.stage];
        s.empty[turn.stage].wait(turn.parity ^ 1);
        full.expect(w_bytes);
        copy_box_to(3, s.w[turn.stage] + half * row_bytes, w, along, tile * tile_words + half, full, often);
      }
  });
}

/// 16 numbers of 16 rows of h as an operand: `row` and `row` + 8 are this thread's. Zeros below the last row.
template <int width>
__device__ __forceinline__ void load_operand(const LogitsArguments& a, uint32_t (&x)[4], int row, int column) {
  const auto two = [&](int at, int from) {
    return at < a.rows ? *reinterpret_cast<const uint32_t*>(a.h + static_cast<int64_t>(at) * width + from) : 0u;
  };
  x[0] = two(row, column);
  x[1] = two(row + 8, column);
  x[2] = two(row, column + 8);
  x[3] = two(row + 8, column + 8);
}

/// Words from `words` on become minus infinity.
__device__ __forceinline__ void mask(float (&c)[tile_words / 2], int words) {
  const int first = 2 * (static_cast<int>(threadIdx.x) % 4);
#pragma unroll
  for (int i = 0; i < tile_words / 2; ++i)
    if (first + i / 4 * 8 + i % 2 >= words) c[i] = -INFINITY;
}

/// A warp's 16 rows of the tile to the boxes that are stored.
__device__ __forceinline__ void put_out(unsigned char (&out)[out_boxes][box_bytes],
                                        const uint32_t (&pairs)[tile_words / 4]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const Place place = place_of_lane(lane);
  const int row = static_cast<int>(threadIdx.x) % 128 / 32 * 16 + place.row;
#pragma unroll
  for (int j = 0; j < tile_words / 8; j += 2) {
    const uint32_t to =
        shared_address(out[j / 8]) + static_cast<uint32_t>(swizzled(row, j % 8 + place.vector, lane % 8));
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(pairs[2 * j]),
                 "r"(pairs[2 * j + 1]), "r"(pairs[2 * j + 2]), "r"(pairs[2 * j + 3])
                 : "memory");
  }
}

/// Adds row `high` (0: the thread's first, 1: the one eight below) of a tile.
template <int high>
__device__ __forceinline__ void add_row(const uint32_t (&pairs)[tile_words / 4], Partial& partial) {
  float top = partial.largest;
#pragma unroll
  for (int i = high; i < tile_words / 4; i += 2) {
    float x, y;
    unpack2(pairs[i], x, y);
    top = fmaxf(top, fmaxf(x, y));
  }
  const float shift = -top * log2_e;
  float sum[2] = {partial.sum * exp2_fast(fmaf(partial.largest, log2_e, shift)), 0};
#pragma unroll
  for (int i = high; i < tile_words / 4; i += 2) {
    float x, y;
    unpack2(pairs[i], x, y);
    sum[0] += exp2_fast(fmaf(x, log2_e, shift));
    sum[1] += exp2_fast(fmaf(y, log2_e, shift));
  }
  partial = {top, sum[0] + sum[1]};
}

/// Of two disjoint sets of words.
__device__ __forceinline__ Partial merged(Partial a, Partial b) {
  const float top = fmaxf(a.largest, b.largest);
  return {top, a.sum * exp2_fast((a.largest - top) * log2_e) + b.sum * exp2_fast((b.largest - top) * log2_e)};
}

/// The four lanes of a row put their parts together; the first one writes.
__device__ __forceinline__ void leave(const LogitsArguments& a, Partial partial, int part, int row) {
#pragma unroll
  for (int offset = 1; offset < 4; offset *= 2)
    partial = merged(partial, {__shfl_xor_sync(0xffffffffu, partial.largest, offset),
                               __shfl_xor_sync(0xffffffffu, partial.sum, offset)});
  if (threadIdx.x % 4 == 0) a.partials[static_cast<int64_t>(part) * a.padded_rows + row] = partial;
}

/// Rounded logits of a tile on their way out, and into the statistics of the thread's two rows.
__device__ __forceinline__ void finish_tile(float (&c)[tile_words / 2], unsigned char (&out)[out_boxes][box_bytes],
                                            const CUtensorMap& logits, int words, int column, int row,
                                            Partial (&rows)[2]) {
  const int thread = static_cast<int>(threadIdx.x) % 128, group = static_cast<int>(threadIdx.x) / 128;
  if (words < tile_words) mask(c, words);
  uint32_t pairs[tile_words / 4];  // the thread's first row in even places, the one eight below in odd ones
#pragma unroll
  for (int i = 0; i < tile_words / 4; ++i) pairs[i] = pack2(c[2 * i], c[2 * i + 1]);
  if (thread == 0) stores_read();
  named_sync(group, 128);
  put_out(out, pairs);
  show_to_copies();
  named_sync(group, 128);
  if (thread == 0) {
    for (int box = 0; box < out_boxes; ++box) store_box(logits, column + 64 * box, row, out[box]);
    stores_commit();
  }
  add_row<0>(pairs, rows[0]);
  add_row<1>(pairs, rows[1]);
}

template <int width>
__device__ __forceinline__ void multiply_tiles(const LogitsArguments& a, Shared& s, const CUtensorMap& logits) {
  const int thread = static_cast<int>(threadIdx.x) % 128, group = static_cast<int>(threadIdx.x) / 128 - 1;
  // The groups multiply in turns, a tile each: while one has the tensor cores, the other finishes its tile.
  if (group == 1) named_arrive(first_turn, 256);
  Turn<stages> turn;
  for_units(a, [&](const Unit& unit) {
    const int group_row = unit.row + group * group_rows, row = group_row + thread / 32 * 16 + thread % 32 / 4;
    uint32_t h[width / 16][4];
#pragma unroll
    for (int k = 0; k < width / 16; ++k) load_operand<width>(a, h[k], row, 16 * k + 2 * (thread % 4));
    Partial rows[2] = {{-1e30f, 0}, {-1e30f, 0}};
    for (int tile = unit.begin; tile < unit.end; ++tile) {
      float c[tile_words / 2];
      int left = 0;
      named_sync(first_turn + group, 256);
#pragma unroll
      for (int step = 0; step < width / step_length; ++step, turn.next()) {
        s.full[turn.stage].wait(turn.parity);
        const uint64_t w = summed_along_rows(shared_address(s.w[turn.stage]));
        products_begin();
#pragma unroll
        for (int k = 0; k < 4; ++k) multiply_along(c, h[4 * step + k], w + 2 * k, k > 0 || step > 0);
        products_commit();
        if (step + 1 == width / step_length) named_arrive(first_turn + 1 - group, 256);
        products_wait<1>();
        if (step > 0) give_back(s.empty[left]);
        left = turn.stage;
      }
      products_wait<0>();
      give_back(s.empty[left]);
      finish_tile(c, s.out[group], logits, a.vocabulary - tile * tile_words, tile * tile_words, group_row, rows);
    }
    leave(a, rows[0], unit.part, row);
    leave(a, rows[1], unit.part, row + 8);
  });
  if (thread == 0) stores_done();
}

template <int width>
__global__ void ABSORB_CLUSTERS_OF_TWO __launch_bounds__(384, 1)
    logits_kernel(LogitsArguments a, const __grid_constant__ CUtensorMap w,
                  const __grid_constant__ CUtensorMap logits) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  Shared& s = aligned_shared<Shared>();
  if (threadIdx.x == 0) {
    prefetch_map(w);
    prefetch_map(logits);
    start_pipeline(s.full, s.empty, 16);  // the multiplying warps of two blocks
  }
  cluster_sync();
  if (threadIdx.x < 128) {
    fewer_registers<40>();
    if (threadIdx.x == 0) produce<width>(a, s, w);
  } else {
    more_registers<232>();
    multiply_tiles<width>(a, s, logits);
  }
  cluster_sync();  // a block's shared memory outlives what its neighbour copies and signals there
#endif
}

template <int width>
void launch(const LogitsArguments& a, const CUtensorMap& w, const CUtensorMap& logits, void* stream) {
  constexpr int bytes = shared_bytes<Shared>;
  cudaFuncSetAttribute(logits_kernel<width>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  const int blocks = 2 * std::min(a.shares.units(), head_clusters());
  logits_kernel<width><<<static_cast<unsigned>(blocks), 384, bytes, stream_of(stream)>>>(a, w, logits);
  check_launch("head_forward");
}

}  // namespace

void head_forward(const FusedHead& call, void* stream) {
  if (call.stride % 64 != 0 || call.stride < call.vocabulary)
    throw std::runtime_error("head_forward: the stride is a multiple of 64 and holds the vocabulary");
  if (call.rows == 0) return;
  LogitsArguments a = {};
  a.shares = share_out(padded_head_rows(call.rows) / 256, (call.stride + tile_words - 1) / tile_words, head_clusters(),
                       most_head_parts);
  a.rows = static_cast<int>(call.rows);
  a.padded_rows = static_cast<int>(padded_head_rows(call.rows));
  a.vocabulary = static_cast<int>(call.vocabulary);
  a.h = call.h;
  a.partials = static_cast<Partial*>(call.workspace);
  const CUtensorMap w = tensor_map(call.w, call.stride, call.width, call.width, tile_words / 2),
                    logits = tensor_map(call.logits, call.rows, call.stride, call.stride, group_rows);
  with_head_width(call.width, [&]<int width>() { launch<width>(a, w, logits, stream); });
  finish_head_rows(call, a.partials, a.shares.parts, stream);
}

}  // namespace absorb::kernels
