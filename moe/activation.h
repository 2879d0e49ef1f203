// What stands between the two products of a feed-forward layer or of experts, with the first of them: a bias is added
// by the product itself in the composition, and by the activation's kernel where one runs. activated() chooses.
#pragma once

#include <string>
#include <vector>

#include "tensors/pass.h"

namespace absorb {

/// "gelu" (erf), "gelu_tanh", "silu" or "none", number by number; or "swiglu" (arXiv:2002.05202) of x [...,2F]:
/// silu(first half) times the second, [...,F].
Tensor activate(const Tensor& x, const std::string& kind);
/// Numbers that it takes for each that it gives: 2 for "swiglu".
int64_t inputs_of_activation(const std::string& kind);
/// Its choices, for a list of settings.
const std::vector<std::string>& activations();

struct Activation {
  std::string kind;     // as above
  Tensor bias = {};     // [F] added before, or undefined
  Tensor weights = {};  // [N,E] multiplied after, one for each run of F / E columns; or undefined
  double dropout = 0;   // in between
  Site site = {};       // names its stream
};
/// dropout(act(x in^T + bias)) * weights, for x [...,D] of N rows and in [F,D]: [...,F]. Of "swiglu" `in` has 2F rows:
/// each run's own F gates, then what they multiply.
Tensor activated(const Tensor& x, const Tensor& in, const Activation& activation, const Pass& pass);
/// x [N,D] where there are weights.
Tensor activated_composition(const Tensor& x, const Tensor& in, const Activation& activation, const Pass& pass);
/// dropout(act(u + bias)) * weights, for u [...,F] bf16 in a pass that runs kernels: bf16.
Tensor activate_by_kernel(const Tensor& u, const Activation& activation, const Pass& pass);

namespace kernels {
enum class Activation;
}
/// Empty where it has a kernel, else why not.
std::string why_no_activation_kernel(const std::string& kind);
/// What the kernels call an activation.
kernels::Activation activation_kernel(const std::string& kind);

}  // namespace absorb
