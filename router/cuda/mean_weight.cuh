// The paper's penalty: the mean of sigmoid(g) over all T x T entries of every sequence and head, the future included,
// from the factors alone: mean_weight() of router/routing.h for a sigmoid that keeps all. Sums have a fixed order.
#pragma once

#include <cstdint>

#include "router/cuda/view.h"

namespace absorb::kernels {

/// Scores g = factor * (items . choices) * scale[h] + shift[h].
struct MeanWeight {
  int batch = 0, items = 0, heads = 0, rank = 0;  // B, T, H, r: a multiple of 8 up to 64
  View of_items, of_choices;                      // [B,T,H,r]
  float factor = 1;
  const float *scale = nullptr, *shift = nullptr;  // [H], or null
};

/// Floats of workspace that mean_weight_forward needs: B H ceil(T / 64).
int64_t mean_weight_workspace(const MeanWeight& call);

/// mean[0] = mean of sigmoid(g).
void mean_weight_forward(const MeanWeight& call, float* workspace, float* mean, void* stream);

/// Where a factor's gradient goes: written, or (rounded as if it had been) added to what is there.
struct FactorGradient {
  MutableView to;  // [B,T,H,r]
  bool add = false;
};
/// coefficient[0] = d loss / d mean, a device pointer. Almost for free where it is 0.
void mean_weight_backward(const MeanWeight& call, const float* coefficient, const FactorGradient& d_items,
                          const FactorGradient& d_choices, void* stream);

}  // namespace absorb::kernels
