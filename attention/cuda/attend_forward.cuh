// The forward kernel: a block takes 64 queries of one head and goes over the keys up to its last with an online
// softmax. Surprising: the highest logit that exponentials are taken against follows only when it is left behind by
// more than 2^8, which spares most of the rescaling; the result doesn't depend on it. For .cu files alone; one file per
// head size instantiates it.
#pragma once

#include <cuda_runtime.h>

#include "attention/cuda/attend_keys.cuh"
#include "tensors/cuda/launch.cuh"

namespace absorb::kernels::attend {

/// Chosen by measurement (docs/performance.md).
template <int D, int R>
struct ForwardPlan {
  static constexpr int width = D, rank = R;
  static constexpr int chunk = 32;                                          // keys at a time
  static constexpr bool hold_q = D < 128 && R == 0;                         // in registers
  static constexpr int fewest = D == 128 ? 2 : D == 64 && R == 64 ? 3 : 4;  // blocks a multiprocessor must hold
  static constexpr int stages = D == 128 && R == 64 ? 1 : 2;                // of keys, values and choices; 99 KB in all
  static constexpr int wide = tile_columns * D * 2, narrow = tile_columns * R * 2;
  // Byte offsets.
  static constexpr int q = 0, k = wide, v = k + stages * wide, items = v + stages * wide;
  static constexpr int choices = items + narrow, bytes = choices + stages * narrow;
};

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

/// A warp's 16 queries.
template <int D, int R, Mode M>
class ForwardQueries {
  using Plan = ForwardPlan<D, R>;
  static constexpr int blocks = Plan::chunk / 8, rank = R == 0 ? 16 : R;

 public:
  __device__ __forceinline__ ForwardQueries(const AttendForward& call, const Warp& warp, uint32_t shared)
      : call_(call),
        warp_(warp),
        top_(R > 0 && call.gate.threshold != nullptr),
        lines_(lines_of<R, M>(call.gate, warp.place.head)),
        drop_(drop_of(call.dropout, call.stay, call.shape, warp.place)),
        to_base2_(rsqrtf(static_cast<float>(D)) * score::log2_e),
        unit_(M == Mode::log_bias ? 1.0f : to_base2_),
        q_{tile::across_address<D>(shared + Plan::q + warp.row * D * 2, warp.lane), {}},
        items_{tile::across_address<rank>(shared + Plan::items + warp.row * R * 2, warp.lane), {}} {
    clear(out_);
  }

  /// Once their tiles have arrived.
  __device__ __forceinline__ void hold() {
    q_.hold();
    items_.hold();
  }

  __device__ __forceinline__ void visit(const Keys& keys) {
    float s[blocks][4], g[blocks][4];
    tile::products(s, q_, tile::down_address<D>(keys.k, warp_.lane));
    uint32_t seen = ~0u;
    if constexpr (R > 0) {
      tile::products(g, items_, tile::down_address<R>(keys.choices, warp_.lane));
      seen = gate(s, g, keys.first);
    }
    const bool reaches_future = keys.first + Plan::chunk - 1 > warp_.own();
    if (reaches_future) seen &= causal_bits<blocks, false>(warp_.own() - keys.first, warp_.lane);
    if (reaches_future || (M != Mode::post_softmax && top_)) keep_only(s, seen, -INFINITY);
    follow(state_, s, out_, unit_);
    exponentials<M>(state_, s, g, unit_);
    if (drop_.on) keep_only(s, stay_bits<blocks, false>(drop_, warp_.own(), keys.first, warp_.lane), 0.0f);
    tile::accumulate<D>(out_, s, tile::across_address<D>(keys.v, warp_.lane));
  }

  __device__ __forceinline__ void store(unsigned char* memory) {
    float factor[2];
#pragma unroll
    for (int side = 0; side < 2; ++side) {
      float sum = state_.sum[side];
      sum += __shfl_xor_sync(~0u, sum, 1);
      sum += __shfl_xor_sync(~0u, sum, 2);
      factor[side] = sum > 0 ? drop_.scale / sum : 0.0f;
      const int query = warp_.own() + warp_.lane / 4 + side * 8;
      if (warp_.lane % 4 == 0 && query < call_.shape.items)
        call_.lse[warp_.place.pair * call_.shape.items + query] =
            sum > 0 ? state_.base[side] / score::log2_e + logf(sum) : -INFINITY;
    }
    store_rows<D>(out_, factor[0], factor[1], memory + Plan::q + warp_.row * D * 2,
                  rows_of(call_.out, warp_.place, warp_.own()), call_.out.item, warp_.valid - warp_.row, D, warp_.lane);
  }

 private:
  /// The gate's part of the logits and of what multiplies their exponentials; what a budget lets a softmax see.
  __device__ __forceinline__ uint32_t gate(float (&s)[blocks][4], float (&g)[blocks][4], int first_key) const {
    uint32_t kept = ~0u;
    if (top_)
      kept =
          kept_by_row(g, lines_.score, call_.gate, warp_.place, call_.shape.items, warp_.own(), first_key, warp_.lane);
    make_scores(g, lines_.weight);
    gate_logits<M>(s, g, to_base2_);
    if (M != Mode::post_softmax) return kept;
    if (top_) keep_only(g, kept, 0.0f);
    return ~0u;
  }

  const AttendForward& call_;
  const Warp& warp_;
  bool top_;
  Lines lines_;
  Drop drop_;
  float to_base2_, unit_;
  tile::Left<D, Plan::hold_q> q_;
  tile::Left<rank, (R > 0)> items_;
  RowState state_;
  float out_[D / 8][4];
};

template <int D, int R, Mode M>
__global__ void __launch_bounds__(threads, ForwardPlan<D, R>::fewest)
    forward_kernel(const __grid_constant__ AttendForward call) {
  using Plan = ForwardPlan<D, R>;
  extern __shared__ __align__(1024) unsigned char memory[];
  const uint32_t shared = tile::shared_address(memory);
  const Warp warp(call.shape, true);
  load_rows<D>(shared + Plan::q, call.q, warp.place, warp.first, call.shape.items, D);
  if constexpr (R > 0)
    load_rows<R>(shared + Plan::items, call.gate.items, warp.place, warp.first, call.shape.items, call.shape.rank);
  load_keys<Plan>(call, warp.place, shared, 0);
  ForwardQueries<D, R, M> queries(call, warp, shared);
  tile::wait_copies<0>();
  __syncthreads();
  queries.hold();
  each_keys<Plan>(call, warp, shared, [&](const Keys& keys) { queries.visit(keys); });
  queries.store(memory);
}

template <int D, int R, Mode M>
void launch_forward(const AttendForward& call, void* stream) {
  using Plan = ForwardPlan<D, R>;
  cudaFuncSetAttribute(forward_kernel<D, R, M>, cudaFuncAttributeMaxDynamicSharedMemorySize, Plan::bytes);
  forward_kernel<D, R, M><<<blocks_of<tile_rows>(call.shape), threads, Plan::bytes, stream_of(stream)>>>(call);
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
