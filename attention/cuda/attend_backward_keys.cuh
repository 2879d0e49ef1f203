// The backward's second pass: a block takes 64 keys of one head and goes over the queries from its first on
// for d_k, d_v and d_choices. Surprising: rows of its products are keys, columns are queries, so that probabilities are
// where the tensor cores want them without a turn through shared memory; scores keep their bits, since products
// commute. For .cu files alone.
#pragma once

#include "attention/cuda/attend_backward.cuh"

namespace absorb::kernels::attend {

/// As ForwardPlan.
template <int D, int R>
struct KeyPlan {
  static constexpr int width = D, rank = R;
  static constexpr int chunk = D == 128 || (D == 64 && R == 0) || (D == 32 && R == 64) ? 16 : 32;  // queries at a time
  static constexpr bool hold_k = D < 128, hold_v = D == 64 && R == 0;
  static constexpr int fewest = D == 32 || (D == 64 && R == 0) ? 3 : 2;
  static constexpr int stages = D == 128 ? 1 : 2;  // of queries, output gradients, items and statistics
  static constexpr int wide = tile_columns * D * 2, narrow = tile_columns * R * 2, line = tile_columns * 4;
  static constexpr int k = 0, v = wide, q = 2 * wide, d_out = q + stages * wide;
  static constexpr int choices = d_out + stages * wide, items = choices + narrow;
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

/// Starts to copy tile `j` of queries, their output's gradients, items and numbers to its stage.
template <typename Plan>
__device__ __forceinline__ void load_queries(const AttendBackward& call, const Place& place, uint32_t shared, int j) {
  const int first = j * tile_columns, stage = j % Plan::stages, items = call.shape.items;
  load_rows<Plan::width>(shared + Plan::q + stage * Plan::wide, call.q, place, first, items, Plan::width);
  load_rows<Plan::width>(shared + Plan::d_out + stage * Plan::wide, call.d_out, place, first, items, Plan::width);
  const int64_t index = place.pair * items + first;
  const int row = static_cast<int>(threadIdx.x) % tile_columns, valid = rows_left(items, first, tile_columns);
  const bool upper = threadIdx.x >= tile_columns;
  copy_row_async(shared + (upper ? Plan::delta : Plan::lse) + stage * Plan::line, upper ? call.delta : call.lse, index,
                 valid, row);
  if constexpr (Plan::rank > 0) {
    load_rows<Plan::rank>(shared + Plan::items + stage * Plan::narrow, call.gate.items, place, first, items,
                          call.shape.rank);
    if (call.gate.threshold != nullptr) {
      const void* source = upper ? static_cast<const void*>(call.gate.last) : call.gate.threshold;
      copy_row_async(shared + (upper ? Plan::last : Plan::threshold) + stage * Plan::line, source, index, valid, row);
    }
  }
  tile::commit_copies();
}

/// Plan::chunk queries from `first` on: where their rows of a tile begin, and the place of their numbers in `lines`,
/// which those of a tile have to themselves.
struct Queries {
  int first, start;
  uint32_t q, d_out, items;
  const unsigned char* lines;
};

/// visit(Queries) for every chunk that sees the warp's keys. The first tile is under way.
template <typename Plan, typename Visit>
__device__ __forceinline__ void each_queries(const AttendBackward& call, const Warp& warp, unsigned char* memory,
                                             Visit&& visit) {
  const uint32_t shared = tile::shared_address(memory);
  const int first_tile = warp.first / tile_columns, tiles = tiles_of(call.shape.items, tile_columns);
  for (int j = first_tile; j < tiles; ++j) {
    if (Plan::stages == 1 && j > first_tile) {
      __syncthreads();
      load_queries<Plan>(call, warp.place, shared, j);
    }
    tile::wait_copies<0>();
    __syncthreads();
    if (Plan::stages == 2 && j + 1 < tiles) load_queries<Plan>(call, warp.place, shared, j + 1);
    const int stage = j % Plan::stages;
    const uint32_t q = shared + Plan::q + stage * Plan::wide, d_out = q + Plan::d_out - Plan::q;
    const uint32_t items = shared + Plan::items + stage * Plan::narrow;
    const unsigned char* lines = memory + stage * Plan::line;
#pragma unroll 1
    for (int start = 0; start < tile_columns; start += Plan::chunk) {
      const int first = j * tile_columns + start;
      if (first + Plan::chunk <= warp.own()) continue;
      visit(Queries{first, start, q + start * Plan::width * 2, d_out + start * Plan::width * 2,
                    items + start * Plan::rank * 2, lines});
    }
  }
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

/// A warp's 16 keys.
template <int D, int R, Mode M>
class BackwardKeys {
  using Plan = KeyPlan<D, R>;
  static constexpr int blocks = Plan::chunk / 8, rank = R == 0 ? 16 : R;

 public:
  __device__ __forceinline__ BackwardKeys(const AttendBackward& call, const Warp& warp, uint32_t shared)
      : call_(call),
        warp_(warp),
        top_(R > 0 && call.gate.threshold != nullptr),
        to_factors_(R > 0 && call.d_choices.data != nullptr),
        lines_(lines_of<R, M>(call.gate, warp.place.head)),
        drop_(drop_of(call.dropout, call.stay, call.shape, warp.place)),
        softmax_scale_(rsqrtf(static_cast<float>(D))),
        k_{tile::across_address<D>(shared + Plan::k + warp.row * D * 2, warp.lane), {}},
        v_{tile::across_address<D>(shared + Plan::v + warp.row * D * 2, warp.lane), {}},
        choices_{tile::across_address<rank>(shared + Plan::choices + warp.row * R * 2, warp.lane), {}} {
    clear(d_k_);
    clear(d_v_);
    clear(d_choices_);
  }

  /// Once their tiles have arrived.
  __device__ __forceinline__ void hold() {
    k_.hold();
    v_.hold();
  }

  __device__ __forceinline__ void visit(const Queries& queries) {
    float s[blocks][4], g[blocks][4], x[blocks][4];
    tile::products(s, k_, tile::down_address<D>(queries.q, warp_.lane));
    tile::products(x, v_, tile::down_address<D>(queries.d_out, warp_.lane));
    if constexpr (R > 0) tile::products(g, choices_, tile::down_address<R>(queries.items, warp_.lane));
    ColumnStats<blocks> stats;
    load_columns(stats.lse_, queries.lines + Plan::lse, queries.start, warp_.lane);
    load_columns(stats.delta_, queries.lines + Plan::delta, queries.start, warp_.lane);
    stats.lse_to_base2();
    const Elements elements = elements_of(g, queries);
    differentiate<M>(s, g, x, stats, elements, softmax_scale_ * score::log2_e, drop_.scale);
    tile::accumulate<D>(d_v_, x, tile::across_address<D>(queries.d_out, warp_.lane));
    tile::accumulate<D>(d_k_, s, tile::across_address<D>(queries.q, warp_.lane));
    if constexpr (R > 0)
      if (to_factors_) tile::accumulate<R>(d_choices_, g, tile::across_address<R>(queries.items, warp_.lane));
  }

  __device__ __forceinline__ void store(unsigned char* memory) {
    if (call_.d_v.data != nullptr) store_own<D>(d_v_, drop_.scale, memory + Plan::v, call_.d_v, warp_, D);
    if (call_.d_k.data != nullptr) store_own<D>(d_k_, softmax_scale_, memory + Plan::k, call_.d_k, warp_, D);
    if constexpr (R > 0)
      if (to_factors_)
        store_own<R>(d_choices_, score_factor<M>(lines_.score, D), memory + Plan::choices, call_.d_choices, warp_,
                     call_.shape.rank);
  }

 private:
  /// Which elements count; dot products become what the sigmoid takes.
  __device__ __forceinline__ Elements elements_of(float (&g)[blocks][4], const Queries& queries) const {
    const bool reaches_future = queries.first < warp_.own() + 15;
    Elements elements = {~0u, ~0u, ~0u, reaches_future, top_, drop_.on};
    if constexpr (R > 0) {
      if (top_)
        elements.keep<M>(kept_by_column(g, lines_.score, queries.lines + Plan::threshold, queries.lines + Plan::last,
                                        queries.start, warp_.own(), warp_.lane));
      make_scores(g, lines_.weight);
    }
    if (reaches_future) elements.seen &= causal_bits<blocks, true>(queries.first - warp_.own(), warp_.lane);
    if (elements.drops) elements.stay = stay_bits<blocks, true>(drop_, queries.first, warp_.own(), warp_.lane);
    return elements;
  }

  const AttendBackward& call_;
  const Warp& warp_;
  bool top_, to_factors_;
  Lines lines_;
  Drop drop_;
  float softmax_scale_;
  tile::Left<D, Plan::hold_k> k_;
  tile::Left<D, Plan::hold_v> v_;
  tile::Left<rank, false> choices_;
  float d_k_[D / 8][4], d_v_[D / 8][4], d_choices_[R / 8 + (R == 0)][4];
};

template <int D, int R, Mode M>
__global__ void __launch_bounds__(threads, KeyPlan<D, R>::fewest)
    key_kernel(const __grid_constant__ AttendBackward call) {
  using Plan = KeyPlan<D, R>;
  extern __shared__ __align__(1024) unsigned char memory[];
  const uint32_t shared = tile::shared_address(memory);
  const Warp warp(call.shape, false);
  const int items = call.shape.items;
  load_rows<D>(shared + Plan::k, call.k, warp.place, warp.first, items, D);
  load_rows<D>(shared + Plan::v, call.v, warp.place, warp.first, items, D);
  if constexpr (R > 0)
    load_rows<R>(shared + Plan::choices, call.gate.choices, warp.place, warp.first, items, call.shape.rank);
  load_queries<Plan>(call, warp.place, shared, warp.first / tile_columns);
  BackwardKeys<D, R, M> keys(call, warp, shared);
  tile::wait_copies<0>();
  __syncthreads();
  keys.hold();
  each_queries<Plan>(call, warp, memory, [&](const Queries& queries) { keys.visit(queries); });
  keys.store(memory);
}

template <int D>
struct LaunchKeys {
  template <int R, Mode M>
  static void run(const AttendBackward& call, void* stream) {
    using Plan = KeyPlan<D, R>;
    cudaFuncSetAttribute(key_kernel<D, R, M>, cudaFuncAttributeMaxDynamicSharedMemorySize, Plan::bytes);
    key_kernel<D, R, M><<<blocks_of<tile_rows>(call.shape), threads, Plan::bytes, stream_of(stream)>>>(call);
    check_launch("attend_backward, key pass");
  }
};

template <int D>
void key_pass(const AttendBackward& call, void* stream) {
  with_mode<LaunchKeys<D>>(call, stream);
}

}  // namespace absorb::kernels::attend
