// The root-mean-square norm (arXiv:1910.07467), of the residual stream and of queries and keys.
#pragma once

#include <ATen/core/Tensor.h>

namespace absorb {

using at::Tensor;

/// x [...,D] / sqrt(mean(x^2) + epsilon) * weight [D], the mean over the last dimension.
Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon);

}  // namespace absorb
