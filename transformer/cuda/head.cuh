// The loss of the vocabulary's logits, and the logits' gradient in their place: one read and one write of the largest
// tensor there is. Launchers neither allocate nor synchronise.
#pragma once

#include <cstdint>

#include "tensors/cuda/types.h"

namespace absorb::kernels {

/// losses[n] = log sum exp logits[n] - logits[n][targets[n]], in nats; 0 where the target is -1. With `gradient`,
/// logits become softmax - onehot (0 where the target is -1, and in the padding). Columns from `vocabulary` to `stride`
/// are padding: ignored, whatever they hold. Logits are aligned to 16 bytes and the stride is a multiple of 8.
struct HeadLoss {
  int64_t rows = 0, vocabulary = 0, stride = 0;  // N, V, Vp
  Bf16* logits = nullptr;                        // [N,Vp]
  const int64_t* targets = nullptr;              // [N]
  float* losses = nullptr;                       // [N]
  bool gradient = false;
};
void head_loss(const HeadLoss& call, void* stream);

/// out[n,d] = h[n,d] scale[n]: rows weighted for the product with the logits' gradient. `width` is a multiple of 8.
void scale_rows(const Bf16* h, const float* scale, Bf16* out, int64_t rows, int64_t width, void* stream);

}  // namespace absorb::kernels
