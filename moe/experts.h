// Experts under a routing. One that weighs them all runs them as one concatenated layer; a budget dispatches each token
// to its experts by a counting sort and combines through the inverse permutation, without atomics. run_experts()
// chooses between the kernels (experts_fused.cpp) and the composition, which is the definition (experts.cpp).
#pragma once

#include "moe/activation.h"
#include "router/routing.h"

namespace absorb {

/// The parameters of one layer of experts, and what it does besides products.
struct Experts {
  Tensor in, out;            // [E*I,D], [E*F,D]: expert e has the e-th I and F rows; I = F, or 2F with swiglu
  Tensor in_bias, out_bias;  // [E*I], [E,D] or undefined
  int64_t count = 0;         // E
  std::string activation;
  double dropout = 0;  // after the activation
  Site site;
};

/// Whether every expert computes every token: without a budget, and where the derivative is that of all.
bool runs_all(const Routing& routing);

/// x [...,D] -> [...,D]: the sum over experts of each token's weight times what the expert puts out.
Tensor run_experts(const Tensor& x, const Routing& routing, const Experts& experts, Pass& pass);
/// Under a budget the pass then waits for the GPU, which says how many tokens each expert has.
Tensor experts_composition(const Tensor& x, const Routing& routing, const Experts& experts, Pass& pass);
/// Empty where kernels run the experts under this routing, else why not.
std::string why_no_experts_kernel(const Routing& routing, const Experts& experts);
/// In a pass that runs kernels: bf16.
Tensor experts_by_kernel(const Tensor& x, const Routing& routing, const Experts& experts, const Pass& pass);

/// What each expert alone puts out, without dropout: [N,E,D] for x [N,D].
Tensor each_expert(const Tensor& x, const Experts& experts);

}  // namespace absorb
