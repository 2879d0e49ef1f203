// The paper's penalty (router/losses/sparsity.h) from the factors alone: relu(target - (1 - mean))^2, mean that of
// sigmoid(g) over all T x T entries of every sequence and head, the future included. Surprising: the formula of one
// number is in here since its operations would take longer than the sum. Sums have a fixed order.
#pragma once

#include <cstdint>

#include "router/cuda/view.h"

namespace absorb::kernels {

/// Scores g = factor * (items . choices) * scale[h] + shift[h].
struct Sparsity {
  int batch = 0, items = 0, heads = 0, rank = 0;  // B, T, H, r: a multiple of 8 up to 64
  View of_items, of_choices;                      // [B,T,H,r]
  float factor = 1;
  const float *scale = nullptr, *shift = nullptr;  // [H], or null
  float target = 0;
};

/// Floats of workspace that sparsity_forward needs: B H ceil(T / 64).
int64_t sparsity_workspace(const Sparsity& call);

/// Numbers on the device, each written.
struct SparsityForward {
  float* workspace = nullptr;
  float* mean = nullptr;  // for the backward pass
  float* penalty = nullptr;
};
void sparsity_forward(const Sparsity& call, const SparsityForward& out, void* stream);

/// Where a factor's gradient goes: written, or (rounded as if it had been) added to what is there.
struct FactorGradient {
  MutableView to;  // [B,T,H,r]
  bool add = false;
};
struct SparsityBackward {
  const float* gradient = nullptr;  // d loss / d penalty, on the device
  const float* mean = nullptr;      // as the forward left it
  FactorGradient items, choices;
};
/// Almost for free where the penalty is 0.
void sparsity_backward(const Sparsity& call, const SparsityBackward& backward, void* stream);

}  // namespace absorb::kernels
