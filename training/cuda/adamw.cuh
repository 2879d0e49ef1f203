// The optimiser's step over the flat storage in two launches: sum of squares, then clip, AdamW, the bf16 shadow of the
// new values and, if asked, zeros for the next gradient. What changes from step to step (rate, ranges, step count) is
// read from device memory, so that a captured graph advances. Launchers neither allocate nor synchronise.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensors/cuda/types.h"

namespace absorb::kernels {

/// [begin, end) of the flat buffers steps at `ratio` times the rate; 0: its values and moments stay, its gradient is
/// set to 0 and doesn't count in the norm.
struct AdamWRange {
  int64_t begin = 0, end = 0;
  float ratio = 1;
};

/// As AdamW::step (training/optimiser/adamw.cpp), with at::_fused_adamw_'s arithmetic in fp32: g = gradient min(1, clip
/// / (norm + 1e-6)); p -= rate ratio decay p; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; p -= rate
/// ratio / (1 - beta1^count) m / (sqrt(v) / sqrt(1 - beta2^count) + epsilon). Unlike there, the gradient isn't scaled
/// in place. Buffers are aligned to 16 bytes.
struct AdamWStep {
  int64_t count = 0;                   // numbers in the flat buffers
  float* values = nullptr;             // [count]
  float* gradient = nullptr;           // [count]
  float* first = nullptr;              // [count] m
  float* second = nullptr;             // [count] v
  Bf16* shadow = nullptr;              // [count] bf16 of the values, or null; written where the ratio isn't 0
  const float* rate = nullptr;         // on the device
  float* steps = nullptr;              // on the device: steps done, incremented first
  float* norm = nullptr;               // on the device, written: the gradient's norm before clipping; or null
  const AdamWRange* ranges = nullptr;  // [range_count] on the device
  int64_t range_count = 0;             // at least one
  double beta1 = 0.9, beta2 = 0.95, weight_decay = 0, epsilon = 1e-8;
  double clip = 0;             // 0: no clipping
  bool zero_gradient = false;  // leaves zeros in the whole gradient
  void* workspace = nullptr;   // adamw_bytes()
};
void adamw_step(const AdamWStep& call, void* stream);
size_t adamw_bytes();

}  // namespace absorb::kernels
