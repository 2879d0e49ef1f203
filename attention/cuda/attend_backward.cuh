// What the two backward kernels share: the derivative of one tile's elements, from the two dot products, the product
// with the output's gradient and the rows' statistics. For .cu files alone.
//
// With P the probabilities before dropout, X = dO V^T after dropout, delta = rowsum(dO * O), s = q.k / sqrt(d):
//   scale_logits  P = softmax(s w):      dS = P (X - delta);  ds = dS w;  dg = dS s w (1 - w)
//   log_bias      P prop. to w e^s:      ds = P (X - delta);  dg = ds (1 - w)
//   post_softmax  P = softmax(s), w P:   ds = P (X w - delta);  dg = P X w (1 - w)
#pragma once

#include <cuda_runtime.h>

#include "attention/cuda/attend_tile.cuh"
#include "tensors/cuda/launch.cuh"

namespace absorb::kernels::attend {

/// lse (in base 2) and delta of the queries of a block's elements, one of two a thread where rows are queries.
struct RowStats {
  float lse_[2], delta_[2];

  __device__ __forceinline__ void load_lse(const float* of_head, int first, int items, int lane) {
#pragma unroll
    for (int side = 0; side < 2; ++side) {
      const int row = first + lane / 4 + side * 8;
      lse_[side] = row < items ? of_head[row] * score::log2_e : 0.0f;
    }
  }
  __device__ __forceinline__ float lse(int, int i) const {
    return lse_[i / 2];
  }
  __device__ __forceinline__ float delta(int, int i) const {
    return delta_[i / 2];
  }
};

/// The same where columns are queries.
template <int Blocks>
struct ColumnStats {
  float2 lse_[Blocks], delta_[Blocks];

  __device__ __forceinline__ void lse_to_base2() {
#pragma unroll
    for (int n = 0; n < Blocks; ++n) lse_[n] = {lse_[n].x * score::log2_e, lse_[n].y * score::log2_e};
  }
  __device__ __forceinline__ float lse(int n, int i) const {
    return i % 2 ? lse_[n].y : lse_[n].x;
  }
  __device__ __forceinline__ float delta(int n, int i) const {
    return i % 2 ? delta_[n].y : delta_[n].x;
  }
};

/// Which elements count. A word is read only where its flag says that it holds a zero.
struct Elements {
  uint32_t seen, kept, stay;
  bool some_hidden, some_left_out, drops;

  /// Of a budget: what it leaves out is hidden from a softmax over the kept, and has weight 0 after one over all.
  template <Mode M>
  __device__ __forceinline__ void keep(uint32_t bits) {
    if (M == Mode::post_softmax) {
      kept = bits;
    } else {
      seen = bits;
      some_hidden = true;
    }
  }
};

/// In: s is a dot product, g what make_scores() gives, x = dO V^T. Out: s = d loss / d (q.k / sqrt d), but
/// for the factor in score_factor() g = d loss / d score, x = the probabilities that multiply V, but for dropout's
/// scale.
template <Mode M, int Blocks, typename Stats>
__device__ __forceinline__ void differentiate(float (&s)[Blocks][4], float (&g)[Blocks][4], float (&x)[Blocks][4],
                                              const Stats& stats, const Elements& elements, float to_base2,
                                              float drop_scale) {
  float p[Blocks][4];
#pragma unroll
  for (int n = 0; n < Blocks; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float lse = stats.lse(n, i);
      if constexpr (M == Mode::log_bias) {  // as in the forward: sigmoid = 2^min(g, 0) / (1 + e), e = 2^-|g|
        const float exponent = g[n][i];
        const float e = score::exp2_fast(-fabsf(exponent));
        const float inverse = score::reciprocal_fast(1.0f + e);
        p[n][i] = score::exp2_fast(fmaf(s[n][i], to_base2, fminf(exponent, 0.0f) - lse)) * inverse;
        g[n][i] = exponent > 0 ? e * inverse : inverse;  // 1 - w
      } else {
        if constexpr (M == Mode::scale_logits) {
          g[n][i] = score::sigmoid_of_half(g[n][i]);
          s[n][i] *= g[n][i];
        }
        if constexpr (M == Mode::post_softmax) g[n][i] = score::sigmoid(g[n][i]);
        p[n][i] = score::exp2_fast(fmaf(s[n][i], to_base2, -lse));
      }
    }
  if (elements.some_hidden) keep_only(p, elements.seen, 0.0f);
  if (M == Mode::post_softmax && elements.some_left_out) keep_only(g, elements.kept, 0.0f);
  if (elements.drops) {
#pragma unroll
    for (int n = 0; n < Blocks; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) x[n][i] = has(elements.stay, n, i) ? x[n][i] * drop_scale : 0.0f;
  }
#pragma unroll
  for (int n = 0; n < Blocks; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float w = g[n][i], delta = stats.delta(n, i);
      if constexpr (M == Mode::post_softmax) {
        const float weighed = x[n][i] * w;
        s[n][i] = p[n][i] * (weighed - delta);
        g[n][i] = p[n][i] * fmaf(-weighed, w, weighed);
        x[n][i] = p[n][i] * w;
      } else {
        const float d_logit = p[n][i] * (x[n][i] - delta);
        if constexpr (M == Mode::scale_logits) g[n][i] = d_logit * fmaf(-s[n][i], w, s[n][i]);
        if constexpr (M == Mode::log_bias) g[n][i] = d_logit * w;
        s[n][i] = M == Mode::scale_logits ? d_logit * w : d_logit;
        x[n][i] = p[n][i];
      }
    }
  if (elements.drops) keep_only(x, elements.stay, 0.0f);
}

/// What the sums of differentiate()'s g times a factor's rows still lack.
template <Mode M>
__device__ __forceinline__ float score_factor(score::Line line, int width) {
  return M == Mode::scale_logits ? line.multiplier * rsqrtf(static_cast<float>(width)) : line.multiplier;
}

/// Chooses the instantiation: Launch::run<R, Mode>(call, stream).
template <typename Launch>
void with_mode(const AttendBackward& call, void* stream) {
  const auto with_rank = [&]<int R>() {
    switch (call.gate.apply) {
      case AttendApply::scale_logits:
        return Launch::template run<R, Mode::scale_logits>(call, stream);
      case AttendApply::log_bias:
        return call.gate.sigmoid ? Launch::template run<R, Mode::log_bias>(call, stream)
                                 : Launch::template run<R, Mode::scale_logits>(call, stream);
      case AttendApply::post_softmax:
        return Launch::template run<R, Mode::post_softmax>(call, stream);
    }
  };
  const int rank = call.shape.rank;
  if (rank == 0) return Launch::template run<0, Mode::plain>(call, stream);
  if (rank <= 16) return with_rank.template operator()<16>();
  if (rank <= 32) return with_rank.template operator()<32>();
  with_rank.template operator()<64>();
}

/// Of head size D; defined in attend_backward_d<D>.cu. The query pass comes first: it writes delta.
template <int D>
void query_pass(const AttendBackward& call, void* stream);
template <int D>
void key_pass(const AttendBackward& call, void* stream);

}  // namespace absorb::kernels::attend
