#include "transformer/ops/norm.h"

#include <torch/types.h>

#include "tensors/kernels/kernel_choice.h"

namespace absorb {
namespace {

constexpr double epsilon = 1e-5;

}  // namespace

Norm make_norm(const Parameters& parameters, const std::string& name, int64_t width, int64_t layer) {
  const Tensor weight = parameters.add(name + ".weight", {width}, Init::ones(), {layer, Part::norm, 0});
  return {weight, parameters.add(name + ".bias", {width}, Init::zeros(), {layer, Part::norm, 0})};
}

Normed add_norm_composition(const Tensor& x, const Branch& branch, const Norm& norm, const Pass& pass) {
  Tensor stream = x;
  if (branch.y.defined()) {
    const Tensor y = branch.bias.defined() ? branch.y + branch.bias : branch.y;
    stream = x + pass.written(branch.site, pass.dropout(y, branch.dropout, branch.site));
  }
  return {stream, at::layer_norm(stream, {stream.size(-1)}, norm.weight, norm.bias, epsilon)};
}

Normed add_norm(const Tensor& x, const Branch& branch, const Norm& norm, const Pass& pass) {
  if (runs_kernel(pass, [&] { return why_no_norm_kernel(pass); })) return add_norm_by_kernel(x, branch, norm, pass);
  return add_norm_composition(x, branch, norm, pass);
}

Tensor norm_at_scale_of(const Tensor& stream, const Tensor& output, const Norm& norm) {
  const Tensor scale = at::rsqrt(stream.var(-1, /*unbiased=*/false) + epsilon);  // [B,T]
  return (output - output.mean(-1, /*keepdim=*/true)) * scale.unsqueeze(-1) * norm.weight;
}

}  // namespace absorb
