#include "tensors/rms_norm.h"

#include <torch/types.h>

namespace absorb {

Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon) {
  return x * at::rsqrt(x.square().mean(-1, /*keepdim=*/true) + epsilon) * weight;
}

}  // namespace absorb
