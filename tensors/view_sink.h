// Where operations that read the same view of a tensor (a transpose, say) meet to make one gradient: autograd would add
// up one from each of them, and then move the sum to where the tensor's own operation reads it.
#pragma once

#include "tensors/node.h"

namespace absorb {

/// The sink of the tensor that record() made and of which `x` shows all numbers, perhaps in another order.
class ViewSink {
 public:
  ViewSink() = default;
  /// In the forward pass: a backward pass must not hold x itself.
  explicit ViewSink(const Tensor& x);
  /// Leaves x's gradient there, so that nothing has to be returned to autograd. False, and nothing done, where x shows
  /// no such tensor, another gradient was left there before, or this one lies otherwise in memory than x.
  bool leave(const Tensor& gradient) const;
  /// What was left so far, in x's shape, for adding to it in place; undefined where nothing was.
  Tensor left() const;

 private:
  struct Layout {
    std::vector<int64_t> sizes, strides;
    int64_t offset = 0;
  };
  static Layout layout_of(const Tensor& x);

  std::shared_ptr<Tensor> sink_;  // null: there is none
  Layout view_, whole_;
};

}  // namespace absorb
