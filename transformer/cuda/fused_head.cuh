// The vocabulary's loss and its gradients on Hopper: three products that never write the logits' gradient. The first
// leaves logits and, on its way, what each row's softmax divides by; the other two read logits and form
// softmax - onehot where their operand is needed. Rows may come in chunks, so that only a chunk's logits exist at once.
// Launchers neither allocate nor synchronise; sums have one order. Other cards run transformer/cuda/head.cuh.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensors/cuda/types.h"

namespace absorb::kernels {

/// A chunk of rows. h, w, logits, log sums and word targets are aligned to 16 bytes; the latter two are padded to a
/// multiple of 256 rows. d logits = exp2(logit log2(e) - log_sum) - [column == target].
struct FusedHead {
  int64_t rows = 0, vocabulary = 0, stride = 0, width = 0;  // N, V, Vp (a multiple of 64), D (of 128)
  const Bf16* h = nullptr;                                  // [N,D]
  const Bf16* w = nullptr;                                  // [Vp,D]; rows from V on: any numbers that are finite
  Bf16* logits = nullptr;                                   // [N,Vp]
  const int64_t* targets = nullptr;                         // [N], -1: none
  float* losses = nullptr;                                  // [N] nats, 0 without a target
  float* log_sums = nullptr;                                // [N] log2 sum exp logits; infinite without a target
  int32_t* word_targets = nullptr;                          // [N] targets, as 32 bits
  const float* scale = nullptr;                             // what both gradients are multiplied by
  Bf16* dh = nullptr;                                       // [N,D]
  float* dw = nullptr;                                      // [V,D], added to
  void* workspace = nullptr;                                // fused_head_bytes(rows, width)
};

/// Whether the current device and these sizes have kernels.
bool has_fused_head(int64_t vocabulary, int64_t width);
size_t fused_head_bytes(int64_t rows, int64_t width);
/// Logits, losses, statistics: columns from V to Vp become minus infinity.
void head_forward(const FusedHead& call, void* stream);
/// dh = scale d logits w.
void head_input_gradient(const FusedHead& call, void* stream);
/// dw += scale d logits^T h.
void head_weight_gradient(const FusedHead& call, void* stream);

}  // namespace absorb::kernels
