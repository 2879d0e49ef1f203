// Products with weights, x W^T and x W. Surprising: where the pass runs kernels they multiply by the weights' bf16
// copy, and add the weights' gradients to the flat fp32 gradient themselves, past autograd.
#pragma once

#include "tensors/node.h"
#include "tensors/pass.h"

namespace absorb {

/// x W^T over the last dimension of x: x [...,K], W [M,K] -> [...,M]. The composition is at::linear.
Tensor linear(const Tensor& x, const Tensor& weight, const Pass& pass);
/// linear(), and in the same product those of the parameters that lie behind W and share its input
/// (Parameters::gather): linear() of this x finds them in `pass` until products are cleared. Where no kernel runs, or
/// nothing lies behind W: linear() alone.
Tensor linear_with_followers(const Tensor& x, const Tensor& weight, Pass& pass);
/// x W over the last dimension of x: x [...,K], W [K,M] -> [...,M]. The composition is at::matmul.
Tensor product(const Tensor& x, const Tensor& weight, const Pass& pass);

/// Empty where the weights' copies hold `weight`, else why not.
std::string why_no_weight_copy(const Tensor& weight, const Pass& pass);
/// Their kernels, in a pass that runs them and of a weight that its copies hold: bf16, differentiable in x and the
/// weight.
Tensor linear_by_kernel(const Tensor& x, const Tensor& weight, const Pass& pass);
Tensor product_by_kernel(const Tensor& x, const Tensor& weight, const Pass& pass);
/// Of weights that lie one behind the other and have one input: [...,M] for each.
Tensors linears_by_kernel(const Tensor& x, const Tensors& weights, Pass& pass);

}  // namespace absorb
