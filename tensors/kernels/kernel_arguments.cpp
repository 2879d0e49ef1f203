#include "tensors/kernels/kernel_arguments.h"

#include <torch/types.h>

namespace absorb {

Tensor empty_like_on(const Tensor& x, at::IntArrayRef shape, at::ScalarType type) {
  return at::empty(shape, at::TensorOptions().dtype(type).device(x.device()));
}

Tensor workspace_of(std::size_t n, const Tensor& x) {
  return empty_like_on(x, {static_cast<int64_t>(n)}, at::kByte);
}

kernels::Dropout dropout_of(const Pass& pass, double rate, const Site& site) {
  if (!pass.in.training || rate == 0) return {};
  return {pass.random("dropout", site).key, read<int64_t>(pass.in.step), dropout_threshold(rate),
          static_cast<float>(1.0 / (1.0 - rate))};
}

}  // namespace absorb
