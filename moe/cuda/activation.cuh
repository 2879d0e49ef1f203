// Between the two products of a feed-forward layer: bias, activation, dropout and the experts' weights in one pass, and
// their gradients in another. One call serves the dense layer, soft experts (concatenated: an expert is F / E columns)
// and dispatched experts (rows sorted by expert). Launchers neither allocate nor synchronise.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensors/cuda/column_sums.cuh"
#include "tensors/cuda/types.h"

namespace absorb::kernels {

enum class Activation { gelu, gelu_tanh, none };

/// out[n,f] = dropout(act(u[n,f] + bias[f])) w[n, f / (F / E)]. F is a multiple of 8; pointers are aligned to 16 bytes.
struct ActivationCall {
  int64_t rows = 0, width = 0;  // N, F
  Activation kind = Activation::gelu;
  const Bf16* u = nullptr;         // [N,F] the first product, without bias
  const float* bias = nullptr;     // [F], [E,F] with `ends`, or null
  const float* weights = nullptr;  // [N,E], or null: 1. Not with `ends`
  int64_t experts = 1;             // E; divides F where there are weights
  const int32_t* ends = nullptr;   // [E] where rows are sorted by expert: expert e has rows [ends[e-1], ends[e])
  Dropout dropout;                 // element (n, f) has index n F + f
};

/// Writes out [N,F]. Rows from ends[E-1] on aren't touched.
void activation_forward(const ActivationCall& call, Bf16* out, void* stream);

/// du = dout w mask act'(u + bias), rounded once; dbias += its sums over rows (each expert's own rows with `ends`)
/// before rounding; dweights[n,e] = sum over the expert's columns of dout mask act(u + bias). Sums in fp32 and in one
/// order.
struct ActivationGradients {
  const Bf16* dout = nullptr;  // [N,F]
  Bf16* du = nullptr;          // [N,F]; may be dout or u
  float* dbias = nullptr;      // as bias, added to; null: not wanted
  float* dweights = nullptr;   // [N,E], written; null: not wanted
  void* workspace = nullptr;   // activation_backward_bytes
  // Not null: dbias' sums are left in the workspace and described here, for a later add_column_sums.
  ColumnSums* later = nullptr;
};
void activation_backward(const ActivationCall& call, const ActivationGradients& gradients, void* stream);
/// Bytes for a call with these rows, width, experts and ends (null or not).
size_t activation_backward_bytes(const ActivationCall& call);

}  // namespace absorb::kernels
