// The model's own operations as kernels with hand-written backward passes: what Model runs where a pass has fused
// weights. Their definition is what Model runs otherwise. All of them throw where there is no GPU.
//
// The residual stream is fp32, what the layers read of it is bf16, and its gradient is bf16.
#pragma once

#include "tensors/node.h"
#include "tensors/pass.h"

namespace absorb::fused {

/// dropout(token[tokens] + position): [B,T,D] fp32 from tokens [B,T], token [V,D], position [context,D].
Tensor embed(const Tensor& tokens, const Tensor& token, const Tensor& position, double dropout, const Pass& pass);

struct Normed {
  Tensor x;  // [B,T,D] fp32, the stream with the branch added
  Tensor h;  // [B,T,D] bf16, its layer norm
};
/// What a layer adds to the stream: dropout(y + bias). y undefined: nothing yet.
struct Branch {
  Tensor y = {};     // [B,T,D] bf16
  Tensor bias = {};  // [D] or undefined
  double dropout = 0;
  Site site = {};
};
Normed add_norm(const Tensor& x, const Branch& branch, const Tensor& weight, const Tensor& bias, const Pass& pass);

/// Nats per token [B,T] fp32, 0 where the target is -1: logits are h [B,T,D] bf16 times token [V,D].
Tensor head_losses(const Tensor& h, const Tensor& token, const Tensor& targets, const Pass& pass);

}  // namespace absorb::fused
