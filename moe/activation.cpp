#include "moe/activation.h"

#include <torch/types.h>

#include "tensors/kernels/kernel_choice.h"
#include "tensors/linear/linear.h"

namespace absorb {

const std::vector<std::string>& activations() {
  static const std::vector<std::string> all = {"gelu", "gelu_tanh", "silu", "swiglu", "none"};
  return all;
}

int64_t inputs_of_activation(const std::string& kind) {
  return kind == "swiglu" ? 2 : 1;
}

Tensor activate(const Tensor& x, const std::string& kind) {
  if (kind == "none") return x;
  if (kind == "silu") return at::silu(x);
  if (kind == "swiglu") {
    const auto halves = x.chunk(2, -1);
    return at::silu(halves[0]) * halves[1];
  }
  return at::gelu(x, kind == "gelu_tanh" ? "tanh" : "none");
}

std::string why_no_activation_kernel(const std::string& kind) {
  return kind == "swiglu" || kind == "silu" ? "activation " + kind : "";
}

namespace {

/// What follows the first product u [...,F or 2F].
Tensor after_product(const Tensor& u, const Activation& a, const Pass& pass) {
  if (!a.weights.defined()) return pass.dropout(activate(u, a.kind), a.dropout, a.site);
  const int64_t rows = a.weights.size(0), experts = a.weights.size(1);
  const Tensor h = pass.dropout(activate(u.view({rows, experts, -1}), a.kind), a.dropout, a.site);
  return (h * a.weights.unsqueeze(-1)).view({rows, -1});
}

}  // namespace

Tensor activated_composition(const Tensor& x, const Tensor& in, const Activation& a, const Pass& pass) {
  return after_product(a.bias.defined() ? at::linear(x, in, a.bias) : linear(x, in, pass), a, pass);
}

Tensor activated(const Tensor& x, const Tensor& in, const Activation& activation, const Pass& pass) {
  if (runs_kernel(pass, [&] { return why_no_activation_kernel(activation.kind); }))
    return activate_by_kernel(linear(x, in, pass), activation, pass);
  return activated_composition(x, in, activation, pass);
}

}  // namespace absorb
