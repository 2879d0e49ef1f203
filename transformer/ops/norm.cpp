#include "transformer/ops/norm.h"

#include <torch/types.h>

#include "tensors/kernels/kernel_choice.h"
#include "tensors/rms_norm.h"

namespace absorb {

Norm make_norm(const Parameters& parameters, const std::string& name, int64_t width, int64_t layer,
               const NormSettings& settings) {
  Norm norm;
  norm.epsilon = settings.epsilon;
  norm.weight = parameters.add(name + ".weight", {width}, Init::ones(), {layer, Part::norm, 0});
  if (settings.kind == "layer")
    norm.bias = parameters.add(name + ".bias", {width}, Init::zeros(), {layer, Part::norm, 0});
  return norm;
}

Tensor norm_of(const Tensor& x, const Norm& norm) {
  if (norm.rms()) return rms_norm(x, norm.weight, norm.epsilon);
  return at::layer_norm(x, {x.size(-1)}, norm.weight, norm.bias, norm.epsilon);
}

Tensor add_branch(const Tensor& x, const Branch& branch, const Pass& pass) {
  if (!branch.y.defined()) return x;
  const Tensor y = branch.bias.defined() ? branch.y + branch.bias : branch.y;
  return x + pass.written(branch.site, pass.dropout(y, branch.dropout, branch.site));
}

Normed add_norm_composition(const Tensor& x, const Branch& branch, const Norm& norm, const Pass& pass) {
  const Tensor stream = add_branch(x, branch, pass);
  return {stream, norm_of(stream, norm)};
}

Normed add_norm(const Tensor& x, const Branch& branch, const Norm& norm, const Pass& pass) {
  if (runs_kernel(pass, [&] { return why_no_norm_kernel(norm, pass); }))
    return add_norm_by_kernel(x, branch, norm, pass);
  return add_norm_composition(x, branch, norm, pass);
}

Tensor norm_at_scale_of(const Tensor& stream, const Tensor& output, const Norm& norm) {
  if (norm.rms()) {
    const Tensor scale = at::rsqrt(stream.square().mean(-1) + norm.epsilon);  // [B,T]
    return output * scale.unsqueeze(-1) * norm.weight;
  }
  const Tensor scale = at::rsqrt(stream.var(-1, /*unbiased=*/false) + norm.epsilon);  // [B,T]
  return (output - output.mean(-1, /*keepdim=*/true)) * scale.unsqueeze(-1) * norm.weight;
}

}  // namespace absorb
