#include "transformer/ops/head.h"

#include <torch/types.h>

#include "tensors/kernels/kernel_choice.h"

namespace absorb {

Tensor head_losses_composition(const Tensor& h, const Tensor& token, const Tensor& targets) {
  const Tensor logits = at::linear(h.view({targets.numel(), -1}), token);  // [B*T,V]
  return at::cross_entropy_loss(logits, targets.reshape({-1}), {}, at::Reduction::None, /*ignore_index=*/-1)
      .view(targets.sizes());
}

Tensor head_losses(const Tensor& h, const Tensor& token, const Tensor& targets, const Pass& pass) {
  return runs_kernel(pass) ? head_losses_by_kernel(h, token, targets, pass)
                           : head_losses_composition(h, token, targets);
}

Tensor logits_above_mean(const Tensor& h, const Tensor& token, const Tensor& targets) {
  const Tensor direction = at::embedding(token, targets.clamp_min(0)) - token.mean(0);  // [B,T,D]
  return (h * direction).sum(-1) * (targets >= 0);
}

}  // namespace absorb
