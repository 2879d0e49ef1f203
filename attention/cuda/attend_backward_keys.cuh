// The backward's second pass: a block takes 64 or 128 keys of one head and goes over the queries from its first on
// for d_k, d_v and d_choices. Surprising: rows of its products are keys, columns are queries, so that probabilities are
// where the tensor cores want them without a turn through shared memory; scores keep their bits, since products
// commute. For .cu files alone.
#pragma once

#include "attention/cuda/attend_backward.cuh"

namespace absorb::kernels::attend {

/// As ForwardPlan.
template <int D, int R>
struct KeyPlan {
  static constexpr int halves = 1;
  static constexpr int chunk = D == 128 || (D == 64 && R == 0) || (D == 32 && R == 64) ? 16 : 32;  // queries at a time
  static constexpr bool hold_k = D < 128, hold_v = D == 64 && R == 0, hold_choices = false;
  static constexpr int fewest = D == 32 || (D == 64 && R == 0) ? 3 : 2;
  static constexpr int stages = D == 128 ? 1 : 2;  // of queries, output gradients, items and statistics
  static constexpr int rows = 64 * halves;
  static constexpr int wide = tile_columns * D * 2, narrow = tile_columns * R * 2, line = tile_columns * 4;
  static constexpr int k = 0, v = halves * wide, q = 2 * halves * wide, d_out = q + stages * wide;
  static constexpr int choices = d_out + stages * wide, items = choices + halves * narrow;
  static constexpr int lse = items + stages * narrow, delta = lse + stages * line;
  static constexpr int threshold = delta + stages * line, last = threshold + (R > 0 ? stages * line : 0);
  static constexpr int bytes = last + (R > 0 ? stages * line : 0);
};

/// Starts to copy one number a row; zeros for rows that don't exist.
__device__ __forceinline__ void copy_row_async(uint32_t shared, const void* numbers, int64_t first, int valid,
                                               int row) {
  const char* source = static_cast<const char*>(numbers) + (row < valid ? first + row : 0) * 4;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared + static_cast<uint32_t>(row * 4)),
               "l"(source), "r"(row < valid ? 4 : 0)
               : "memory");
}

template <int D, int R>
__device__ __forceinline__ void load_queries(const AttendBackward& call, const Place& place, uint32_t shared, int j) {
  using Plan = KeyPlan<D, R>;
  const int first = j * tile_columns, valid = rows_left(call.shape.items, first, tile_columns);
  const int stage = j % Plan::stages;
  tile::load_tile<D, tile_columns, threads>(shared + Plan::q + stage * Plan::wide, rows_of(call.q, place, first),
                                            call.q.item, valid, D);
  tile::load_tile<D, tile_columns, threads>(shared + Plan::d_out + stage * Plan::wide,
                                            rows_of(call.d_out, place, first), call.d_out.item, valid, D);
  const int64_t index = place.pair * call.shape.items + first;
  const int row = static_cast<int>(threadIdx.x) % tile_columns;
  const bool upper = threadIdx.x >= tile_columns;
  copy_row_async(shared + (upper ? Plan::delta : Plan::lse) + stage * Plan::line, upper ? call.delta : call.lse, index,
                 valid, row);
  if constexpr (R > 0) {
    tile::load_tile<R, tile_columns, threads>(shared + Plan::items + stage * Plan::narrow,
                                              rows_of(call.gate.items, place, first), call.gate.items.item, valid,
                                              call.shape.rank);
    if (call.gate.threshold != nullptr) {
      const void* source = upper ? static_cast<const void*>(call.gate.last) : call.gate.threshold;
      copy_row_async(shared + (upper ? Plan::last : Plan::threshold) + stage * Plan::line, source, index, valid, row);
    }
  }
  tile::commit_copies();
}

/// The numbers of a block's columns: two a thread and 16 x 8 block.
template <typename Pair, int Blocks>
__device__ __forceinline__ void load_columns(Pair (&out)[Blocks], const unsigned char* row, int start, int lane) {
#pragma unroll
  for (int n = 0; n < Blocks; ++n)
    out[n] = *reinterpret_cast<const Pair*>(row + (start + 8 * n + tile::result_column(lane, 0)) * 4);
}

/// Kept elements; rows are keys from `key` on.
template <int Blocks>
__device__ __forceinline__ uint32_t kept_by_column(const float (&dots)[Blocks][4], score::Line line,
                                                   const unsigned char* threshold_row, const unsigned char* last_row,
                                                   int start, int key, int lane) {
  float2 threshold[Blocks];
  int2 last[Blocks];
  load_columns(threshold, threshold_row, start, lane);
  load_columns(last, last_row, start, lane);
  uint32_t kept = 0;
#pragma unroll
  for (int n = 0; n < Blocks; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      kept |= static_cast<uint32_t>(score::kept(score::raw(dots[n][i], line), key + tile::result_row(lane, i),
                                                i % 2 ? threshold[n].y : threshold[n].x, i % 2 ? last[n].y : last[n].x))
              << (4 * n + i);
  return kept;
}

template <int D, int R, Mode M>
__global__ void __launch_bounds__(threads, KeyPlan<D, R>::fewest)
    key_kernel(const __grid_constant__ AttendBackward call) {
  using Plan = KeyPlan<D, R>;
  constexpr int blocks = Plan::chunk / 8, halves = Plan::halves, rank = R == 0 ? 16 : R;
  extern __shared__ __align__(1024) unsigned char memory[];
  const uint32_t shared = tile::shared_address(memory);
  const Place place = place_of<Plan::rows>(call.shape, false);
  const int lane = static_cast<int>(threadIdx.x) % 32, row0 = static_cast<int>(threadIdx.x) / 32 * 16 * halves;
  const int items = call.shape.items, first = place.tile * Plan::rows, valid = rows_left(items, first, Plan::rows);
  const int first_tile = first / tile_columns, tiles = tiles_of(items, tile_columns);

  tile::load_tile<D, Plan::rows, threads>(shared + Plan::k, rows_of(call.k, place, first), call.k.item, valid, D);
  tile::load_tile<D, Plan::rows, threads>(shared + Plan::v, rows_of(call.v, place, first), call.v.item, valid, D);
  if constexpr (R > 0)
    tile::load_tile<R, Plan::rows, threads>(shared + Plan::choices, rows_of(call.gate.choices, place, first),
                                            call.gate.choices.item, valid, call.shape.rank);
  load_queries<D, R>(call, place, shared, first_tile);

  score::Line line = {1, 0};
  if constexpr (R > 0) line = score::line_of(call.gate.factor, call.gate.scale, call.gate.shift, place.head);
  const score::Line weight_line = sigmoid_line<M>(line, call.gate.sigmoid);
  const bool top = R > 0 && call.gate.threshold != nullptr, to_factors = R > 0 && call.d_choices.data != nullptr;
  const Drop drop = drop_of(call.dropout, call.stay, call.shape, place);
  const float softmax_scale = rsqrtf(static_cast<float>(D)), to_base2 = softmax_scale * score::log2_e;
  tile::Left<D, halves, Plan::hold_k> k = {tile::across_address<D>(shared + Plan::k + row0 * D * 2, lane), {}};
  tile::Left<D, halves, Plan::hold_v> v = {tile::across_address<D>(shared + Plan::v + row0 * D * 2, lane), {}};
  tile::Left<rank, halves, Plan::hold_choices && (R > 0)> left = {
      tile::across_address<rank>(shared + Plan::choices + row0 * R * 2, lane), {}};
  float d_k[halves][D / 8][4], d_v[halves][D / 8][4], d_choices[halves][R / 8 + (R == 0)][4];
  clear(d_k);
  clear(d_v);
  clear(d_choices);
  tile::wait_copies<0>();
  __syncthreads();
  k.hold();
  v.hold();
  left.hold();

  for (int j = first_tile; j < tiles; ++j) {
    if (Plan::stages == 1 && j > first_tile) {
      __syncthreads();
      load_queries<D, R>(call, place, shared, j);
    }
    tile::wait_copies<0>();
    __syncthreads();
    if (Plan::stages == 2 && j + 1 < tiles) load_queries<D, R>(call, place, shared, j + 1);
    const int stage = j % Plan::stages;
    const uint32_t q_tile = shared + Plan::q + stage * Plan::wide, d_out_tile = q_tile + Plan::d_out - Plan::q;
    const uint32_t items_tile = shared + Plan::items + stage * Plan::narrow;
    const unsigned char* lines = memory + stage * Plan::line;
#pragma unroll 1
    for (int start = 0; start < tile_columns; start += Plan::chunk) {
      const int first_query = j * tile_columns + start;
      if (first_query + Plan::chunk <= first + row0) continue;
      float s[halves][blocks][4], g[halves][blocks][4], x[halves][blocks][4];
      tile::products(s, k, tile::down_address<D>(q_tile + start * D * 2, lane));
      tile::products(x, v, tile::down_address<D>(d_out_tile + start * D * 2, lane));
      if constexpr (R > 0) {
        tile::products(g, left, tile::down_address<R>(items_tile + start * R * 2, lane));
      }
      ColumnStats<blocks> stats;
      load_columns(stats.lse_, lines + Plan::lse, start, lane);
      load_columns(stats.delta_, lines + Plan::delta, start, lane);
      stats.lse_to_base2();
#pragma unroll
      for (int half = 0; half < halves; ++half) {
        const int key = first + row0 + 16 * half;
        Elements elements = {~0u, ~0u, ~0u, first_query < key + 15, top, drop.on};
        if constexpr (R > 0) {
          if (top)
            elements.keep<M>(
                kept_by_column(g[half], line, lines + Plan::threshold, lines + Plan::last, start, key, lane));
          make_scores(g[half], weight_line);
        }
        if (first_query < key + 15) elements.seen &= causal_bits<blocks, true>(first_query - key, lane);
        if (elements.drops) elements.stay = stay_bits<blocks, true>(drop, first_query, key, lane);
        differentiate<M>(s[half], g[half], x[half], stats, elements, to_base2, drop.scale);
      }
      tile::accumulate<D>(d_v, x, tile::across_address<D>(d_out_tile + start * D * 2, lane));
      tile::accumulate<D>(d_k, s, tile::across_address<D>(q_tile + start * D * 2, lane));
      if constexpr (R > 0)
        if (to_factors) tile::accumulate<R>(d_choices, g, tile::across_address<R>(items_tile + start * R * 2, lane));
    }
  }
#pragma unroll
  for (int half = 0; half < halves; ++half) {
    const int row = row0 + 16 * half;
    if (call.d_v.data != nullptr)
      store_rows<D>(d_v[half], drop.scale, drop.scale, memory + Plan::v + row * D * 2,
                    rows_of(call.d_v, place, first + row), call.d_v.item, valid - row, D, lane);
    if (call.d_k.data != nullptr)
      store_rows<D>(d_k[half], softmax_scale, softmax_scale, memory + Plan::k + row * D * 2,
                    rows_of(call.d_k, place, first + row), call.d_k.item, valid - row, D, lane);
    if constexpr (R > 0)
      if (to_factors) {
        const float factor = score_factor<M>(line, D);
        store_rows<R>(d_choices[half], factor, factor, memory + Plan::choices + row * R * 2,
                      rows_of(call.d_choices, place, first + row), call.d_choices.item, valid - row, call.shape.rank,
                      lane);
      }
  }
}

template <int D>
struct LaunchKeys {
  template <int R, Mode M>
  static void run(const AttendBackward& call, void* stream) {
    using Plan = KeyPlan<D, R>;
    cudaFuncSetAttribute(key_kernel<D, R, M>, cudaFuncAttributeMaxDynamicSharedMemorySize, Plan::bytes);
    key_kernel<D, R, M><<<blocks_of<Plan::rows>(call.shape), threads, Plan::bytes, stream_of(stream)>>>(call);
    check_launch("attend_backward, key pass");
  }
};

template <int D>
void key_pass(const AttendBackward& call, void* stream) {
  with_mode<LaunchKeys<D>>(call, stream);
}

}  // namespace absorb::kernels::attend
