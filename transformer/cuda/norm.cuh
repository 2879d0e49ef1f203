// LayerNorm of the residual stream with what surrounds it: forward adds the half-block's output (bias, dropout) to the
// stream and normalises in one pass; backward gives the stream's gradient and, through the dropout, the output's.
// The stream is fp32 forward and bf16 backward; products see bf16. Launchers neither allocate nor synchronise.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensors/cuda/column_sums.cuh"
#include "tensors/cuda/types.h"

namespace absorb::kernels {

/// Widths with kernels: multiples of 8 up to this one.
constexpr int64_t norm_widest = 4096;
/// Added to the variance, as at::layer_norm does.
constexpr float norm_epsilon = 1e-5f;

/// x_out = x + dropout(y + y_bias); h = gamma (x_out - mean) rstd + beta, of each row. Element (n, d) of the dropout
/// has index n D + d. Pointers are aligned to 16 bytes.
struct NormForward {
  int64_t rows = 0, width = 0;    // N, D
  const float* x = nullptr;       // [N,D]
  const Bf16* y = nullptr;        // [N,D]; null: x_out is x, and isn't written
  const float* y_bias = nullptr;  // [D], or null
  Dropout dropout;
  const float* gamma = nullptr;  // [D]
  const float* beta = nullptr;   // [D]
  float* x_out = nullptr;        // [N,D]; may be x
  Bf16* h = nullptr;             // [N,D]
  float* mean = nullptr;         // [N]
  float* rstd = nullptr;         // [N]
};
void norm_forward(const NormForward& call, void* stream);

/// With xhat = (x - mean) rstd:
///   dx = dx_next + rstd (dh gamma - mean(dh gamma) - xhat mean(dh gamma xhat)), rounded once; dx may be dx_next,
///   dy = mask dx (mask before rounding), dgamma += sum of dh xhat, dbeta += sum of dh, dy_bias += sum of mask dx,
/// sums over rows in fp32 and in one order. Without dropout dy isn't written: it is dx.
struct NormBackward {
  int64_t rows = 0, width = 0;    // N, D
  const Bf16* dh = nullptr;       // [N,D]
  const Bf16* dx_next = nullptr;  // [N,D], or null: 0
  const float* x = nullptr;       // [N,D] the forward's x_out
  const float* mean = nullptr;    // [N]
  const float* rstd = nullptr;    // [N]
  const float* gamma = nullptr;   // [D]
  Dropout dropout;                // the forward's
  Bf16* dx = nullptr;             // [N,D]
  Bf16* dy = nullptr;             // [N,D], needed where there is dropout
  float* dgamma = nullptr;        // [D], or null: not wanted; so are the next two
  float* dbeta = nullptr;         // [D]
  float* dy_bias = nullptr;       // [D]
  void* workspace = nullptr;      // norm_backward_bytes
  // Not null: the sums over rows are left in the workspace and described here, for a later add_column_sums.
  ColumnSums* later = nullptr;
};
void norm_backward(const NormBackward& call, void* stream);
size_t norm_backward_bytes(int64_t rows, int64_t width);

}  // namespace absorb::kernels
