// What one step or one evaluation chunk feeds to a loss. On its own, so that who needs a batch needs no corpus.
#pragma once

#include <ATen/core/Tensor.h>

namespace absorb {

using at::Tensor;

/// tokens, targets: int64 [B,T] on the CPU. targets[b,t] is what follows tokens[b,t]; -1: no loss is counted there.
struct Batch {
  Tensor tokens, targets;
};

}  // namespace absorb
