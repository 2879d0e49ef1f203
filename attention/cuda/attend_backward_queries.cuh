// The backward's first pass: a block takes 64 queries of one head, sums delta, and goes over the key tiles up to its
// own for d_q and d_items. For .cu files alone.
#pragma once

#include "attention/cuda/attend_backward.cuh"

namespace absorb::kernels::attend {

/// As ForwardPlan.
template <int D, int R>
struct QueryPlan {
  static constexpr int halves = 1;
  static constexpr int chunk = D == 128 || (D == 64 && R > 0) || R == 64 ? 16 : 32;  // keys at a time
  static constexpr bool hold_q = D < 128, hold_d_out = D < 128, hold_items = D < 128 && R != 16;
  static constexpr int fewest = D == 128 || (D == 64 && R == 64) ? 2 : 3;
  static constexpr int stages = D == 128 ? 1 : 2;  // of keys, values and choices
  static constexpr int rows = 64 * halves;
  static constexpr int wide = tile_columns * D * 2, narrow = tile_columns * R * 2;
  static constexpr int q = 0, d_out = halves * wide, k = 2 * halves * wide, v = k + stages * wide;
  static constexpr int items = v + stages * wide, choices = items + halves * narrow, bytes = choices + stages * narrow;
};

template <int D, int R>
__device__ __forceinline__ void load_keys(const AttendBackward& call, const Place& place, uint32_t shared, int j) {
  using Plan = QueryPlan<D, R>;
  const int first = j * tile_columns, valid = rows_left(call.shape.items, first, tile_columns);
  const int stage = j % Plan::stages;
  tile::load_tile<D, tile_columns, threads>(shared + Plan::k + stage * Plan::wide, rows_of(call.k, place, first),
                                            call.k.item, valid, D);
  tile::load_tile<D, tile_columns, threads>(shared + Plan::v + stage * Plan::wide, rows_of(call.v, place, first),
                                            call.v.item, valid, D);
  if constexpr (R > 0)
    tile::load_tile<R, tile_columns, threads>(shared + Plan::choices + stage * Plan::narrow,
                                              rows_of(call.gate.choices, place, first), call.gate.choices.item, valid,
                                              call.shape.rank);
  tile::commit_copies();
}

/// The dot product of 8 bf16 with 8 others.
__device__ __forceinline__ float dot8(uint4 a, uint4 b) {
  const uint32_t x[4] = {a.x, a.y, a.z, a.w}, y[4] = {b.x, b.y, b.z, b.w};
  float sum = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    sum = fmaf(__uint_as_float(x[i] << 16), __uint_as_float(y[i] << 16), sum);
    sum = fmaf(__uint_as_float(x[i] & 0xffff0000u), __uint_as_float(y[i] & 0xffff0000u), sum);
  }
  return sum;
}

/// delta = rowsum(dO * O) of a warp's 16 rows, to global memory; returned for the thread's two rows.
template <int D>
__device__ __forceinline__ void sum_delta(float (&delta)[2], const View& out, const View& d_out, float* stored,
                                          const Place& place, int first, int items, int lane) {
  constexpr int lanes = D / 8, rows_at_once = 32 / lanes;
  delta[0] = delta[1] = 0;
#pragma unroll
  for (int i = 0; i < 16 / rows_at_once; ++i) {
    const int row = first + i * rows_at_once + lane / lanes;
    float sum = 0;
    if (row < items)
      sum = dot8(*reinterpret_cast<const uint4*>(rows_of(out, place, row) + lane % lanes * 8),
                 *reinterpret_cast<const uint4*>(rows_of(d_out, place, row) + lane % lanes * 8));
#pragma unroll
    for (int distance = lanes / 2; distance > 0; distance /= 2) sum += __shfl_xor_sync(~0u, sum, distance);
    if (row < items && lane % lanes == 0) stored[place.pair * items + row] = sum;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int wanted = lane / 4 + half * 8;
      const float value = __shfl_sync(~0u, sum, wanted % rows_at_once * lanes);
      if (wanted / rows_at_once == i) delta[half] = value;
    }
  }
}

template <int D, int R, Mode M>
__global__ void __launch_bounds__(threads, QueryPlan<D, R>::fewest)
    query_kernel(const __grid_constant__ AttendBackward call) {
  using Plan = QueryPlan<D, R>;
  constexpr int blocks = Plan::chunk / 8, halves = Plan::halves, rank = R == 0 ? 16 : R;
  extern __shared__ __align__(1024) unsigned char memory[];
  const uint32_t shared = tile::shared_address(memory);
  const Place place = place_of<Plan::rows>(call.shape, true);
  const int lane = static_cast<int>(threadIdx.x) % 32, row0 = static_cast<int>(threadIdx.x) / 32 * 16 * halves;
  const int items = call.shape.items, first = place.tile * Plan::rows, valid = rows_left(items, first, Plan::rows);
  const int first_query = first + row0;  // of this warp

  tile::load_tile<D, Plan::rows, threads>(shared + Plan::q, rows_of(call.q, place, first), call.q.item, valid, D);
  tile::load_tile<D, Plan::rows, threads>(shared + Plan::d_out, rows_of(call.d_out, place, first), call.d_out.item,
                                          valid, D);
  if constexpr (R > 0)
    tile::load_tile<R, Plan::rows, threads>(shared + Plan::items, rows_of(call.gate.items, place, first),
                                            call.gate.items.item, valid, call.shape.rank);
  load_keys<D, R>(call, place, shared, 0);

  RowStats stats[halves];
  const bool top = R > 0 && call.gate.threshold != nullptr, to_factors = R > 0 && call.d_items.data != nullptr;
#pragma unroll
  for (int half = 0; half < halves; ++half) {
    const int query = first_query + 16 * half;
    sum_delta<D>(stats[half].delta_, call.out, call.d_out, call.delta, place, query, items, lane);
    stats[half].load_lse(call.lse + place.pair * items, query, items, lane);
  }
  score::Line line = {1, 0};
  if constexpr (R > 0) line = score::line_of(call.gate.factor, call.gate.scale, call.gate.shift, place.head);
  const score::Line weight_line = sigmoid_line<M>(line, call.gate.sigmoid);
  const Drop drop = drop_of(call.dropout, call.stay, call.shape, place);
  const float softmax_scale = rsqrtf(static_cast<float>(D)), to_base2 = softmax_scale * score::log2_e;
  tile::Left<D, halves, Plan::hold_q> q = {tile::across_address<D>(shared + Plan::q + row0 * D * 2, lane), {}};
  tile::Left<D, halves, Plan::hold_d_out> d_out = {tile::across_address<D>(shared + Plan::d_out + row0 * D * 2, lane),
                                                   {}};
  tile::Left<rank, halves, Plan::hold_items && (R > 0)> left = {
      tile::across_address<rank>(shared + Plan::items + row0 * R * 2, lane), {}};
  float d_q[halves][D / 8][4], d_items[halves][R / 8 + (R == 0)][4];
  clear(d_q);
  clear(d_items);
  tile::wait_copies<0>();
  __syncthreads();
  q.hold();
  d_out.hold();
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
      float s[halves][blocks][4], g[halves][blocks][4], x[halves][blocks][4];
      tile::products(s, q, tile::down_address<D>(k_tile + start * D * 2, lane));
      tile::products(x, d_out, tile::down_address<D>(v_tile + start * D * 2, lane));
      if constexpr (R > 0) {
        tile::products(g, left, tile::down_address<R>(choices_tile + start * R * 2, lane));
      }
#pragma unroll
      for (int half = 0; half < halves; ++half) {
        const int query = first_query + 16 * half;
        Elements elements = {~0u, ~0u, ~0u, first_key + Plan::chunk - 1 > query, top, drop.on};
        if constexpr (R > 0) {
          if (top) elements.keep<M>(kept_by_row(g[half], line, call.gate, place, items, query, first_key, lane));
          make_scores(g[half], weight_line);
        }
        if (first_key + Plan::chunk - 1 > query) elements.seen &= causal_bits<blocks, false>(query - first_key, lane);
        if (elements.drops) elements.stay = stay_bits<blocks, false>(drop, query, first_key, lane);
        differentiate<M>(s[half], g[half], x[half], stats[half], elements, to_base2, drop.scale);
      }
      tile::accumulate<D>(d_q, s, tile::across_address<D>(k_tile + start * D * 2, lane));
      if constexpr (R > 0)
        if (to_factors) tile::accumulate<R>(d_items, g, tile::across_address<R>(choices_tile + start * R * 2, lane));
    }
  }
#pragma unroll
  for (int half = 0; half < halves; ++half) {
    const int row = row0 + 16 * half;
    store_rows<D>(d_q[half], softmax_scale, softmax_scale, memory + Plan::q + row * D * 2,
                  rows_of(call.d_q, place, first + row), call.d_q.item, valid - row, D, lane);
    if constexpr (R > 0)
      if (to_factors) {
        const float factor = score_factor<M>(line, D);
        store_rows<R>(d_items[half], factor, factor, memory + Plan::items + row * R * 2,
                      rows_of(call.d_items, place, first + row), call.d_items.item, valid - row, call.shape.rank, lane);
      }
  }
}

template <int D>
struct LaunchQueries {
  template <int R, Mode M>
  static void run(const AttendBackward& call, void* stream) {
    using Plan = QueryPlan<D, R>;
    cudaFuncSetAttribute(query_kernel<D, R, M>, cudaFuncAttributeMaxDynamicSharedMemorySize, Plan::bytes);
    query_kernel<D, R, M><<<blocks_of<Plan::rows>(call.shape), threads, Plan::bytes, stream_of(stream)>>>(call);
    check_launch("attend_backward, query pass");
  }
};

template <int D>
void query_pass(const AttendBackward& call, void* stream) {
  with_mode<LaunchQueries<D>>(call, stream);
}

}  // namespace absorb::kernels::attend
