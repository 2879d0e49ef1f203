// The one arithmetic of factored scores in kernels: g(t,c) = factor * scale[h] * (items[t] . choices[c]) + shift[h].
// Every kernel that needs a score computes it by these functions, since a kept set is a threshold to which scores are
// compared in several kernels: they must agree in every bit. They do because the dot product is one chain of mma
// m16n8k16 over k = 0, 16, 32, ... from 0, followed by one fmaf. The bits depend neither on the tile, nor on Rank
// (zeros appended to a factor change nothing), nor on which factor is the left operand (products commute). For .cu
// files alone.
//
// How to use it (rank r <= Rank, Rank in {16, 32, 64}):
//   1. tile::load_tile<Rank, Rows, Threads>(tile, first_row, stride, valid_rows, r) for both factors, zero-filled, then
//      tile::commit_copies(), tile::wait_copies<0>(), __syncthreads(). A tile takes Rows * Rank * 2 bytes and begins at
//      a multiple of 256 bytes.
//   2. const Line line = line_of(factor, scale, shift, head);
//   3. float g[Blocks][4]; dots<Rank, Blocks>(g, across_address<Rank>(items_tile + first_query * Rank * 2, lane),
//                                                  down_address<Rank>(choices_tile + first_key * Rank * 2, lane));
//      by a whole warp: 16 queries x 8 Blocks keys; first_query a multiple of 8, first_key too, Blocks even.
//   4. raw(g[n][i], line) is the score of query first_query + tile::result_row(lane, i) and key
//      first_key + 8 n + tile::result_column(lane, i).
#pragma once

#include "router/cuda/tile.cuh"
#include "tensors/cuda/fast_math.cuh"

namespace absorb::kernels::score {

#ifdef __CUDACC__

constexpr float log2_e = 1.4426950408889634f;

/// A score is fmaf(dot, multiplier, shift).
struct Line {
  float multiplier, shift;
};

/// Of a head; `scale` and `shift` are [H] or null.
__device__ __forceinline__ Line line_of(float factor, const float* scale, const float* shift, int head) {
  return {scale ? factor * scale[head] : factor, shift ? shift[head] : 0.0f};
}

__device__ __forceinline__ float raw(float dot, Line line) {
  return fmaf(dot, line.multiplier, line.shift);
}

/// out = the dot products of 16 rows of one factor and 8 Blocks rows of the other. Where rows are kept in registers,
/// tile::products gives the same bits.
template <int Rank, int Blocks>
__device__ __forceinline__ void dots(float (&out)[Blocks][4], uint32_t across, uint32_t down) {
  tile::products<Rank, false, Blocks>(out, {across, {}}, down);
}

using kernels::exp2_fast;
using kernels::reciprocal_fast;

/// 1 / (1 + e^-g), to a few ulp, also where it is nearly 0.
__device__ __forceinline__ float sigmoid(float g) {
  return reciprocal_fast(1.0f + exp2_fast(-log2_e * g));
}

/// sigmoid(2 half), to 2^-12 absolute, by one special function: for weights that only scale a logit or enter a mean.
__device__ __forceinline__ float sigmoid_of_half(float half) {
  float y;
  asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(half));
  return fmaf(0.5f, y, 0.5f);
}

__device__ __forceinline__ float sigmoid_coarse(float g) {
  return sigmoid_of_half(0.5f * g);
}

/// The derivative of the sigmoid where it is w.
__device__ __forceinline__ float sigmoid_slope(float w) {
  return fmaf(-w, w, w);
}

/// Whether a budget keeps choice c of score g.
__device__ __forceinline__ bool kept(float g, int choice, float threshold, int last) {
  return g > threshold || (g == threshold && choice <= last);
}

#endif

}  // namespace absorb::kernels::score
