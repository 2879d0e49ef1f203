// Experts' and feed-forward layers' operations as kernels. Their definition is what moe.cpp and model.cpp run
// otherwise.
#pragma once

#include "router/routing.h"
#include "tensors/node.h"
#include "tensors/pass.h"

namespace absorb::fused {

/// What stands between the two products of a feed-forward layer.
struct Activation {
  std::string kind;    // "gelu", "gelu_tanh" or "none"
  Tensor bias;         // [F] added before, or undefined
  Tensor weights;      // [N,E] fp32 multiplied after, one for each run of F / E columns; or undefined
  double dropout = 0;  // in between
  Site site;
};
/// dropout(act(u + bias)) * weights: [...,F] bf16.
Tensor activate(const Tensor& u, const Activation& activation, const Pass& pass);

/// Experts that all tokens go to, or the few that a budget keeps: parameters of one layer.
struct Experts {
  Tensor in, out;            // [E*F,D] each
  Tensor in_bias, out_bias;  // [E*F], [E,D] or undefined
  int64_t count = 0;         // E
  std::string activation;
  double dropout = 0;
  Site site;
};

/// Empty where kernels choose and run the kept experts of this routing, else why not.
std::string why_no_kernel(const Routing& routing, const Experts& experts);
/// y, like x [...,D] bf16: the sum over the kept experts of each token's weight times what they put out.
Tensor kept_experts(const Tensor& x, const Routing& routing, const Experts& experts, const Pass& pass);

}  // namespace absorb::fused
