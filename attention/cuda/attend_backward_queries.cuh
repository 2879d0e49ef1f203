// The backward's first pass: a block takes 64 queries of one head, sums delta, and goes over the key tiles up to its
// own for d_q and d_items. For .cu files alone.
#pragma once

#include "attention/cuda/attend_backward.cuh"
#include "attention/cuda/attend_keys.cuh"

namespace absorb::kernels::attend {

/// As ForwardPlan.
template <int D, int R>
struct QueryPlan {
  static constexpr int width = D, rank = R;
  static constexpr int chunk = D == 128 || (D == 64 && R > 0) || R == 64 ? 16 : 32;  // keys at a time
  static constexpr bool hold_q = D < 128, hold_d_out = D < 128, hold_items = D < 128 && R != 16;
  static constexpr int fewest = D == 128 || (D == 64 && R == 64) ? 2 : 3;
  static constexpr int stages = D == 128 ? 1 : 2;  // of keys, values and choices
  static constexpr int wide = tile_columns * D * 2, narrow = tile_columns * R * 2;
  static constexpr int q = 0, d_out = wide, k = 2 * wide, v = k + stages * wide;
  static constexpr int items = v + stages * wide, choices = items + narrow, bytes = choices + stages * narrow;
};

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

/// A warp's 16 queries.
template <int D, int R, Mode M>
class BackwardQueries {
  using Plan = QueryPlan<D, R>;
  static constexpr int blocks = Plan::chunk / 8, rank = R == 0 ? 16 : R;

 public:
  __device__ __forceinline__ BackwardQueries(const AttendBackward& call, const Warp& warp, uint32_t shared)
      : call_(call),
        warp_(warp),
        top_(R > 0 && call.gate.threshold != nullptr),
        to_factors_(R > 0 && call.d_items.data != nullptr),
        lines_(lines_of<R, M>(call.gate, warp.place.head)),
        drop_(drop_of(call.dropout, call.stay, call.shape, warp.place)),
        softmax_scale_(rsqrtf(static_cast<float>(D))),
        q_{tile::across_address<D>(shared + Plan::q + warp.row * D * 2, warp.lane), {}},
        d_out_{tile::across_address<D>(shared + Plan::d_out + warp.row * D * 2, warp.lane), {}},
        items_{tile::across_address<rank>(shared + Plan::items + warp.row * R * 2, warp.lane), {}} {
    const int sequence = call.shape.items;
    sum_delta<D>(stats_.delta_, call.out, call.d_out, call.delta, warp.place, warp.own(), sequence, warp.lane);
    stats_.load_lse(call.lse + warp.place.pair * sequence, warp.own(), sequence, warp.lane);
    clear(d_q_);
    clear(d_items_);
  }

  /// Once their tiles have arrived.
  __device__ __forceinline__ void hold() {
    q_.hold();
    d_out_.hold();
    items_.hold();
  }

  __device__ __forceinline__ void visit(const Keys& keys) {
    float s[blocks][4], g[blocks][4], x[blocks][4];
    tile::products(s, q_, tile::down_address<D>(keys.k, warp_.lane));
    tile::products(x, d_out_, tile::down_address<D>(keys.v, warp_.lane));
    if constexpr (R > 0) tile::products(g, items_, tile::down_address<R>(keys.choices, warp_.lane));
    const Elements elements = elements_of(g, keys.first);
    differentiate<M>(s, g, x, stats_, elements, softmax_scale_ * score::log2_e, drop_.scale);
    tile::accumulate<D>(d_q_, s, tile::across_address<D>(keys.k, warp_.lane));
    if constexpr (R > 0)
      if (to_factors_) tile::accumulate<R>(d_items_, g, tile::across_address<R>(keys.choices, warp_.lane));
  }

  __device__ __forceinline__ void store(unsigned char* memory) {
    store_own<D>(d_q_, softmax_scale_, memory + Plan::q, call_.d_q, warp_, D);
    if constexpr (R > 0)
      if (to_factors_)
        store_own<R>(d_items_, score_factor<M>(lines_.score, D), memory + Plan::items, call_.d_items, warp_,
                     call_.shape.rank);
  }

 private:
  /// Which elements count; dot products become what the sigmoid takes.
  __device__ __forceinline__ Elements elements_of(float (&g)[blocks][4], int first_key) const {
    const bool reaches_future = first_key + Plan::chunk - 1 > warp_.own();
    Elements elements = {~0u, ~0u, ~0u, reaches_future, top_, drop_.on};
    if constexpr (R > 0) {
      if (top_)
        elements.keep<M>(kept_by_row(g, lines_.score, call_.gate, warp_.place, call_.shape.items, warp_.own(),
                                     first_key, warp_.lane));
      make_scores(g, lines_.weight);
    }
    if (reaches_future) elements.seen &= causal_bits<blocks, false>(warp_.own() - first_key, warp_.lane);
    if (elements.drops) elements.stay = stay_bits<blocks, false>(drop_, warp_.own(), first_key, warp_.lane);
    return elements;
  }

  const AttendBackward& call_;
  const Warp& warp_;
  bool top_, to_factors_;
  Lines lines_;
  Drop drop_;
  float softmax_scale_;
  tile::Left<D, Plan::hold_q> q_;
  tile::Left<D, Plan::hold_d_out> d_out_;
  tile::Left<rank, Plan::hold_items && (R > 0)> items_;
  RowStats stats_;
  float d_q_[D / 8][4], d_items_[R / 8 + (R == 0)][4];
};

template <int D, int R, Mode M>
__global__ void __launch_bounds__(threads, QueryPlan<D, R>::fewest)
    query_kernel(const __grid_constant__ AttendBackward call) {
  using Plan = QueryPlan<D, R>;
  extern __shared__ __align__(1024) unsigned char memory[];
  const uint32_t shared = tile::shared_address(memory);
  const Warp warp(call.shape, true);
  const int items = call.shape.items;
  load_rows<D>(shared + Plan::q, call.q, warp.place, warp.first, items, D);
  load_rows<D>(shared + Plan::d_out, call.d_out, warp.place, warp.first, items, D);
  if constexpr (R > 0)
    load_rows<R>(shared + Plan::items, call.gate.items, warp.place, warp.first, items, call.shape.rank);
  load_keys<Plan>(call, warp.place, shared, 0);
  BackwardQueries<D, R, M> queries(call, warp, shared);
  tile::wait_copies<0>();
  __syncthreads();
  queries.hold();
  each_keys<Plan>(call, warp, shared, [&](const Keys& keys) { queries.visit(keys); });
  queries.store(memory);
}

template <int D>
struct LaunchQueries {
  template <int R, Mode M>
  static void run(const AttendBackward& call, void* stream) {
    using Plan = QueryPlan<D, R>;
    cudaFuncSetAttribute(query_kernel<D, R, M>, cudaFuncAttributeMaxDynamicSharedMemorySize, Plan::bytes);
    query_kernel<D, R, M><<<blocks_of<tile_rows>(call.shape), threads, Plan::bytes, stream_of(stream)>>>(call);
    check_launch("attend_backward, query pass");
  }
};

template <int D>
void query_pass(const AttendBackward& call, void* stream) {
  with_mode<LaunchQueries<D>>(call, stream);
}

}  // namespace absorb::kernels::attend
