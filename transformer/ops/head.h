// The vocabulary's head: logits and their losses, as one operation, since a kernel never keeps all logits.
// head_losses() chooses between the kernels (head_fused.cpp) and the composition, which is the definition (head.cpp).
#pragma once

#include "tensors/pass.h"

namespace absorb {

/// Nats per token [B,T], 0 where the target is -1: logits are h [B,T,D] times token [V,D]; targets [B,T] int64.
Tensor head_losses(const Tensor& h, const Tensor& token, const Tensor& targets, const Pass& pass);
Tensor head_losses_composition(const Tensor& h, const Tensor& token, const Tensor& targets);
/// In a pass that runs kernels, of a table that is a parameter (else InternalError): h bf16, fp32 losses.
Tensor head_losses_by_kernel(const Tensor& h, const Tensor& token, const Tensor& targets, const Pass& pass);

/// [B,T]: the target's logit less the mean logit of the vocabulary; 0 where the target is -1.
Tensor logits_above_mean(const Tensor& h, const Tensor& token, const Tensor& targets);

}  // namespace absorb
