// Where the gradient of one part of a wide product is best written: side by side with those of the other parts, so that
// one product differentiates them all and nothing has to be moved there first.
#pragma once

#include "tensors/pass.h"

namespace absorb {

/// A place for the gradient of a tensor in the memory that its producer takes gradients from. Found in the forward
/// pass, made in the backward one.
struct GradientHome {
  std::shared_ptr<Tensor> buffer;  // null: there is none
  std::vector<int64_t> whole;      // sizes of the buffer
  std::vector<int64_t> sizes, strides;
  int64_t offset = 0;
  at::TensorOptions options;
  /// Of the tensor's sizes and strides; undefined where there is none.
  Tensor get() const;
};
GradientHome gradient_home(const Tensor& y, const Pass& pass);

}  // namespace absorb
