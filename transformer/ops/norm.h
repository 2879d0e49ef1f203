// Adding what a layer left to the residual stream, and the norm of the sum: one operation, since a kernel does
// both while it reads the stream once. Surprising: a layer's output is pending (Branch) until the next norm adds it, so
// that its bias and its dropout are the norm's to apply. add_norm() chooses between the kernels (norm_fused.cpp) and
// the composition, which is the definition (norm.cpp).
#pragma once

#include "tensors/parameters.h"
#include "tensors/pass.h"

namespace absorb {

/// What a layer adds to the stream: dropout(y + bias), as the pass's writer has it. y undefined: nothing yet.
struct Branch {
  Tensor y = {};     // [B,T,D]
  Tensor bias = {};  // [D] or undefined
  double dropout = 0;
  Site site = {};  // names the dropout's stream, and the writer

  /// The same, without a gradient path to what made it.
  Branch detached() const {
    return {y.defined() ? y.detach() : y, bias.defined() ? bias.detach() : bias, dropout, site};
  }
};

/// A layer norm's gamma and beta, [D], or the gamma of a root-mean-square norm, which has no beta.
struct Norm {
  Tensor weight, bias;
  double epsilon = 1e-5;
  bool rms() const { return !bias.defined(); }
};
/// "layer": (x - mean) / sqrt(var + epsilon) * gamma + beta. "rms": x / sqrt(mean(x^2) + epsilon) * gamma.
struct NormSettings {
  std::string kind = "layer";
  double epsilon = 1e-5;
};
/// Added below `parameters` as <name>.weight (ones) and, of a layer norm, <name>.bias (zeros).
Norm make_norm(const Parameters& parameters, const std::string& name, int64_t width, int64_t layer,
               const NormSettings& settings);
/// The norm alone, of x [...,D].
Tensor norm_of(const Tensor& x, const Norm& norm);

struct Normed {
  Tensor x;  // [B,T,D], the stream with the branch added
  Tensor h;  // [B,T,D], its norm
};
/// [B,T,D]: x + what the branch adds.
Tensor add_branch(const Tensor& x, const Branch& branch, const Pass& pass);
/// x [B,T,D] -> (x + what the branch adds, norm_of it).
Normed add_norm(const Tensor& x, const Branch& branch, const Norm& norm, const Pass& pass);
Normed add_norm_composition(const Tensor& x, const Branch& branch, const Norm& norm, const Pass& pass);
/// Empty where kernels do it in this pass, else why not: they add without showing anyone what.
std::string why_no_norm_kernel(const Norm& norm, const Pass& pass);
/// In a pass that runs kernels: the stream is fp32, its norm bf16, its gradient bf16.
Normed add_norm_by_kernel(const Tensor& x, const Branch& branch, const Norm& norm, const Pass& pass);

/// The part of add_norm(stream).h that `output` [B,T,D] has, one of the outputs that `stream` [B,T,D] is the sum of:
/// the scale is the stream's, and the shift is left out, as it belongs to no output.
Tensor norm_at_scale_of(const Tensor& stream, const Tensor& output, const Norm& norm);

}  // namespace absorb
