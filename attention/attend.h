// Causal attention over routed keys. attend() chooses between the kernels (attend_fused.cpp) and the composition, which
// is the definition (attend.cpp).
#pragma once

#include "router/routing.h"

namespace absorb {

/// How routing weights w enter attention (science.md section 2, trap 3): softmax(s * w), the paper; P proportional to
/// w exp(s); or w * softmax(s), not renormalised. Choices that aren't kept are always excluded.
enum class Apply { scale_logits, log_bias, post_softmax };
Apply apply_named(const std::string& name);

struct AttendInput {
  Tensor q, k;  // [B,H,T,d]; undefined: equal logits (QK^T = 0)
  Tensor v;     // [B,H,T,d]
  Apply apply = Apply::log_bias;
  double dropout = 0;  // of the attention weights, in training
  Site site;           // names the dropout stream
  Tensor packed = {};  // [B,T,3*H*d] that q, k and v are views of: what a kernel reads and differentiates
};

/// [B,T,H*d]. A null or plain routing is dense causal attention, through the very same code.
Tensor attend(const AttendInput& input, const Routing* routing, const Pass& pass);
Tensor attend_composition(const AttendInput& input, const Routing* routing, const Pass& pass);
/// Empty where kernels compute this attention, else why not.
std::string why_no_attend_kernel(const AttendInput& input, const Routing* routing);
/// In a pass that runs kernels: bf16, differentiable in input.packed and in the scores' factors.
Tensor attend_by_kernel(const AttendInput& input, const Routing* routing, const Pass& pass);
/// [B,H,T,T]: the attention probabilities of a routing that isn't plain, before dropout.
Tensor attention_weights(const AttendInput& input, const Routing& routing);

}  // namespace absorb
