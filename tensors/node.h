// Operations whose backward pass is written by hand, as nodes of autograd. Surprising: an operation of ours that reads
// another one's output may leave its gradient in that output's *sink* (added in place by a product's epilogue, in a
// dtype that autograd would convert) and return nothing to autograd, which then has nothing to add or to cast.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

namespace absorb {

using at::Tensor;
using Tensors = std::vector<Tensor>;

/// Gradients of the outputs (undefined where nothing flows) -> gradients of the inputs (undefined: none, or already
/// left in a sink or in the parameters' flat gradient).
using Backward = std::function<Tensors(Tensors gradients)>;

/// Makes `outputs`, fresh tensors without history, differentiable in `inputs`. Nothing happens where gradients are off
/// or no input asks for one. What `backward` captures is released after its only call; it must not capture outputs
/// themselves, but may their detach().
void record(const Tensors& outputs, const Tensors& inputs, Backward backward);

/// Where gradients of `x` may be left: null unless record() made it. The first to come defines it.
std::shared_ptr<Tensor> sink_of(const Tensor& x);

}  // namespace absorb
