#include "moe/activation.h"

#include <torch/types.h>

#include "tensors/kernels/kernel_choice.h"
#include "tensors/linear/linear.h"

namespace absorb {

Tensor activate(const Tensor& x, const std::string& kind) {
  if (kind == "none") return x;
  return at::gelu(x, kind == "gelu_tanh" ? "tanh" : "none");
}

Tensor activated_composition(const Tensor& x, const Tensor& in, const Activation& a, const Pass& pass) {
  const Tensor h = pass.dropout(activate(at::linear(x, in, a.bias), a.kind), a.dropout, a.site);
  if (!a.weights.defined()) return h;
  const int64_t rows = a.weights.size(0), experts = a.weights.size(1);
  return (h.view({rows, experts, -1}) * a.weights.unsqueeze(-1)).view({rows, -1});
}

Tensor activated(const Tensor& x, const Tensor& in, const Activation& activation, const Pass& pass) {
  if (runs_kernel(pass)) return activate_by_kernel(linear(x, in, pass), activation, pass);
  return activated_composition(x, in, activation, pass);
}

}  // namespace absorb
