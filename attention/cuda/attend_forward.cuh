// The forward kernel: a block takes 64 or 128 queries of one head and goes over the keys up to its last with an online
// softmax. Surprising: the highest logit that exponentials are taken against follows only when it is left behind by
// more than 2^8, which spares most of the rescaling; the result doesn't depend on it. For .cu files alone; one file per
// head size instantiates it.
#pragma once

#include <cuda_runtime.h>

#include "attention/cuda/attend_tile.cuh"
#include "core/cuda/launch.cuh"

namespace absorb::kernels::attend {

/// How a kernel spends registers and shared memory: chosen by measurement (docs/performance.md). Two halves, 32 rows a
/// warp, read shared memory half as often but leave too few warps to hide latencies.
template <int D, int R>
struct ForwardPlan {
  static constexpr int halves = 1;
  static constexpr int chunk = 32;                                          // keys at a time
  static constexpr bool hold_q = D < 128 && R == 0, hold_items = true;      // in registers
  static constexpr int fewest = D == 128 ? 2 : D == 64 && R == 64 ? 3 : 4;  // blocks a multiprocessor must hold
  static constexpr int stages = D == 128 && R == 64 ? 1 : 2;                // of keys, values and choices; 99 KB in all
  static constexpr int rows = 64 * halves;
  static constexpr int wide = tile_columns * D * 2, narrow = tile_columns * R * 2;
  // Byte offsets.
  static constexpr int q = 0, k = halves * wide, v = k + stages * wide, items = v + stages * wide;
  static constexpr int choices = items + halves * narrow, bytes = choices + stages * narrow;
};

template <int D, int R>
__device__ __forceinline__ void load_keys(const AttendForward& call, const Place& place, uint32_t shared, int j) {
  using Plan = ForwardPlan<D, R>;
  const int first = j * tile_columns, valid = rows_left(call.shape.items, first, tile_columns),
            stage = j % Plan::stages;
  tile::load_tile<D, tile_columns, threads>(shared + Plan::k + stage * Plan::wide, rows_of(call.k, place, first),
                                            call.k.item, valid, D);
  if constexpr (R > 0)
    tile::load_tile<R, tile_columns, threads>(shared + Plan::choices + stage * Plan::narrow,
                                              rows_of(call.gate.choices, place, first), call.gate.choices.item, valid,
                                              call.shape.rank);
  tile::load_tile<D, tile_columns, threads>(shared + Plan::v + stage * Plan::wide, rows_of(call.v, place, first),
                                            call.v.item, valid, D);
  tile::commit_copies();
}

/// What a thread knows of its two query rows.
struct RowState {
  float base[2] = {-INFINITY, -INFINITY};  // exponentials are 2^(logit - base)
  float sum[2] = {0, 0};                   // this thread's part of the denominator
};

/// Turns dot products and scores into logits (s, in units of 1 / unit of a base 2 exponent) and what multiplies the
/// exponential (g), as Mode says.
template <Mode M, int Blocks>
__device__ __forceinline__ void gate_logits(float (&s)[Blocks][4], float (&g)[Blocks][4], float unit) {
#pragma unroll
  for (int n = 0; n < Blocks; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if constexpr (M == Mode::scale_logits) s[n][i] *= score::sigmoid_of_half(g[n][i]);
      if constexpr (M == Mode::log_bias) {  // sigmoid = 2^min(g, 0) / (1 + 2^-|g|), g in base 2: never 0
        s[n][i] = fmaf(s[n][i], unit, fminf(g[n][i], 0.0f));
        g[n][i] = score::reciprocal_fast(1.0f + score::exp2_fast(-fabsf(g[n][i])));
      }
      if constexpr (M == Mode::post_softmax) g[n][i] = score::sigmoid(g[n][i]);
    }
}

/// Lets the base follow the highest logit where it must; `out` and the sums are rescaled to it.
template <int Blocks, int Columns>
__device__ __forceinline__ void follow(RowState& state, const float (&s)[Blocks][4], float (&out)[Columns][4],
                                       float unit) {
  float highest[2];
#pragma unroll
  for (int side = 0; side < 2; ++side) {
    float top = fmaxf(s[0][2 * side], s[0][2 * side + 1]);
#pragma unroll
    for (int n = 1; n < Blocks; ++n) top = fmaxf(top, fmaxf(s[n][2 * side], s[n][2 * side + 1]));
    top = fmaxf(top, __shfl_xor_sync(~0u, top, 1));
    highest[side] = unit * fmaxf(top, __shfl_xor_sync(~0u, top, 2));
  }
  constexpr float slack = 8;
  if (!__any_sync(~0u, highest[0] > state.base[0] + slack || highest[1] > state.base[1] + slack)) return;
#pragma unroll
  for (int side = 0; side < 2; ++side) {
    if (!(highest[side] > state.base[side] + slack)) continue;
    const float shrink = score::exp2_fast(state.base[side] - highest[side]);
    state.base[side] = highest[side];
    state.sum[side] *= shrink;
#pragma unroll
    for (int n = 0; n < Columns; ++n) {
      out[n][2 * side] *= shrink;
      out[n][2 * side + 1] *= shrink;
    }
  }
}

/// Logits become what multiplies the values; their sums are added.
template <Mode M, int Blocks>
__device__ __forceinline__ void exponentials(RowState& state, float (&s)[Blocks][4], const float (&g)[Blocks][4],
                                             float unit) {
#pragma unroll
  for (int side = 0; side < 2; ++side) {
    const float base = state.base[side] == -INFINITY ? 0.0f : state.base[side];
#pragma unroll
    for (int n = 0; n < Blocks; ++n)
#pragma unroll
      for (int i = 2 * side; i < 2 * side + 2; ++i) {
        float p = score::exp2_fast(fmaf(s[n][i], unit, -base));
        if constexpr (M == Mode::log_bias) p *= g[n][i];
        state.sum[side] += p;
        s[n][i] = M == Mode::post_softmax ? p * g[n][i] : p;
      }
  }
}

template <int D, int R, Mode M>
__global__ void __launch_bounds__(threads, ForwardPlan<D, R>::fewest)
    forward_kernel(const __grid_constant__ AttendForward call) {
  using Plan = ForwardPlan<D, R>;
  constexpr int blocks = Plan::chunk / 8, halves = Plan::halves;
  extern __shared__ __align__(1024) unsigned char memory[];
  const uint32_t shared = tile::shared_address(memory);
  const Place place = place_of<Plan::rows>(call.shape, true);
  const int lane = static_cast<int>(threadIdx.x) % 32, row0 = static_cast<int>(threadIdx.x) / 32 * 16 * halves;
  const int items = call.shape.items, first = place.tile * Plan::rows, valid = rows_left(items, first, Plan::rows);
  const int first_query = first + row0;  // of this warp

  tile::load_tile<D, Plan::rows, threads>(shared, rows_of(call.q, place, first), call.q.item, valid, D);
  if constexpr (R > 0)
    tile::load_tile<R, Plan::rows, threads>(shared + Plan::items, rows_of(call.gate.items, place, first),
                                            call.gate.items.item, valid, call.shape.rank);
  load_keys<D, R>(call, place, shared, 0);

  RowState states[halves];
  score::Line line = {1, 0};
  const bool top = R > 0 && call.gate.threshold != nullptr;
  if constexpr (R > 0) line = score::line_of(call.gate.factor, call.gate.scale, call.gate.shift, place.head);
  const score::Line weight_line = sigmoid_line<M>(line, call.gate.sigmoid);
  const Drop drop = drop_of(call.dropout, call.stay, call.shape, place);
  const float to_base2 = rsqrtf(static_cast<float>(D)) * score::log2_e;
  const float unit = M == Mode::log_bias ? 1.0f : to_base2;
  tile::Left<D, halves, Plan::hold_q> q = {tile::across_address<D>(shared + row0 * D * 2, lane), {}};
  tile::Left<R == 0 ? 16 : R, halves, Plan::hold_items && (R > 0)> left = {
      tile::across_address < R == 0 ? 16 : R > (shared + Plan::items + row0 * R * 2, lane), {}};
  float out[halves][D / 8][4];
  clear(out);
  tile::wait_copies<0>();
  __syncthreads();
  q.hold();
  left.hold();

  const int tiles = tiles_of(first + valid, tile_columns);
  for (int j = 0; j < tiles; ++j) {
    if (Plan::stages == 1 && j > 0) {
      __syncthreads();
      load_keys<D, R>(call, place, shared, j);
    }
    tile::wait_copies<0>();
    __syncthreads();
    if (Plan::stages == 2 && j + 1 < tiles) load_keys<D, R>(call, place, shared, j + 1);
    const uint32_t k_tile = shared + Plan::k + j % Plan::stages * Plan::wide, v_tile = k_tile + Plan::v - Plan::k;
    const uint32_t choices_tile = shared + Plan::choices + j % Plan::stages * Plan::narrow;
#pragma unroll 1
    for (int start = 0; start < tile_columns; start += Plan::chunk) {
      const int first_key = j * tile_columns + start;
      if (first_key > first_query + 16 * halves - 1) break;
      float s[halves][blocks][4], g[halves][blocks][4];
      tile::products(s, q, tile::down_address<D>(k_tile + start * D * 2, lane));
      if constexpr (R > 0) {
        tile::products(g, left, tile::down_address<R>(choices_tile + start * R * 2, lane));
      }
#pragma unroll
      for (int half = 0; half < halves; ++half) {
        const int query = first_query + 16 * half;
        uint32_t seen = ~0u;
        if constexpr (R > 0) {
          uint32_t kept = ~0u;
          if (top) kept = kept_by_row(g[half], line, call.gate, place, items, query, first_key, lane);
          make_scores(g[half], weight_line);
          gate_logits<M>(s[half], g[half], to_base2);
          if (M != Mode::post_softmax)
            seen = kept;
          else if (top)
            keep_only(g[half], kept, 0.0f);
        }
        const bool reaches_future = first_key + Plan::chunk - 1 > query;
        if (reaches_future) seen &= causal_bits<blocks, false>(query - first_key, lane);
        if (reaches_future || (M != Mode::post_softmax && top)) keep_only(s[half], seen, -INFINITY);
        follow(states[half], s[half], out[half], unit);
        exponentials<M>(states[half], s[half], g[half], unit);
        if (drop.on) keep_only(s[half], stay_bits<blocks, false>(drop, query, first_key, lane), 0.0f);
      }
      tile::accumulate<D>(out, s, tile::across_address<D>(v_tile + start * D * 2, lane));
    }
  }

#pragma unroll
  for (int half = 0; half < halves; ++half) {
    float factor[2];
#pragma unroll
    for (int side = 0; side < 2; ++side) {
      float sum = states[half].sum[side];
      sum += __shfl_xor_sync(~0u, sum, 1);
      sum += __shfl_xor_sync(~0u, sum, 2);
      factor[side] = sum > 0 ? drop.scale / sum : 0.0f;
      const int query = first_query + 16 * half + lane / 4 + side * 8;
      if (lane % 4 == 0 && query < items)
        call.lse[place.pair * items + query] =
            sum > 0 ? states[half].base[side] / score::log2_e + logf(sum) : -INFINITY;
    }
    store_rows<D>(out[half], factor[0], factor[1], memory + (row0 + 16 * half) * D * 2,
                  rows_of(call.out, place, first_query + 16 * half), call.out.item, valid - row0 - 16 * half, D, lane);
  }
}

template <int D, int R, Mode M>
void launch_forward(const AttendForward& call, void* stream) {
  using Plan = ForwardPlan<D, R>;
  cudaFuncSetAttribute(forward_kernel<D, R, M>, cudaFuncAttributeMaxDynamicSharedMemorySize, Plan::bytes);
  forward_kernel<D, R, M><<<blocks_of<Plan::rows>(call.shape), threads, Plan::bytes, stream_of(stream)>>>(call);
  check_launch("attend_forward");
}

template <int D, int R>
void launch_forward(const AttendForward& call, void* stream) {
  switch (call.gate.apply) {
    case AttendApply::scale_logits:
      return launch_forward<D, R, Mode::scale_logits>(call, stream);
    case AttendApply::log_bias:  // without a sigmoid the weights are 1 and the two are the same
      return call.gate.sigmoid ? launch_forward<D, R, Mode::log_bias>(call, stream)
                               : launch_forward<D, R, Mode::scale_logits>(call, stream);
    case AttendApply::post_softmax:
      return launch_forward<D, R, Mode::post_softmax>(call, stream);
  }
}

/// Of head size D; defined in attend_forward_d<D>.cu.
template <int D>
void forward_of_width(const AttendForward& call, void* stream) {
  const int rank = call.shape.rank;
  if (rank == 0) return launch_forward<D, 0, Mode::plain>(call, stream);
  if (rank <= 16) return launch_forward<D, 16>(call, stream);
  if (rank <= 32) return launch_forward<D, 32>(call, stream);
  launch_forward<D, 64>(call, stream);
}

}  // namespace absorb::kernels::attend
