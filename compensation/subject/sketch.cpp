#include "compensation/subject/sketch.h"

#include <torch/types.h>

#include "core/error.h"
#include "core/random.h"

namespace absorb {

CountSketch::CountSketch(uint64_t key, int64_t numbers, int64_t dimension, at::Device device)
    : numbers_(numbers), dimension_(dimension <= 0 || dimension >= numbers ? numbers : dimension) {
  check(numbers >= 1, "[CountSketch] a vector of {} numbers", numbers);
  if (dimension_ == numbers_) return;
  const int64_t size = (numbers + dimension_ - 1) / dimension_;
  const auto draw = [&](std::string_view what) { return uniform({stream_key(key, what), {}}, {numbers}, device); };
  // float32 draws may tie: the stable order breaks ties the same way on every device.
  const Tensor permutation = at::argsort(draw("sketch/order"), /*stable=*/true);
  order_ = at::constant_pad_nd(permutation, {0, dimension_ * size - numbers}, numbers);  // the end: a number that is 0
  // Place p of the permutation is in bucket p modulo m, so that buckets differ by at most one number.
  order_ = order_.view({size, dimension_}).t().contiguous();
  inverse_ = at::empty_like(permutation);
  inverse_.index_copy_(0, permutation, at::arange(numbers, permutation.options()).remainder(dimension_));
  sign_ = at::where(draw("sketch/sign") < 0.5, 1.0F, -1.0F).to(at::kFloat);
}

Tensor CountSketch::compress(const Tensor& x) const {
  check(x.size(-1) == numbers_, "[CountSketch] {} numbers, made for {}", x.size(-1), numbers_);
  if (!order_.defined()) return x;
  const Tensor padded = at::constant_pad_nd(x * sign_.to(x.scalar_type()), {0, 1}, 0);
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = dimension_;
  shape.push_back(order_.size(1));
  return padded.index_select(-1, order_.flatten()).view(shape).sum(-1);
}

Tensor CountSketch::expand(const Tensor& z) const {
  check(z.size(-1) == dimension_, "[CountSketch] {} buckets, made with {}", z.size(-1), dimension_);
  if (!order_.defined()) return z;
  return z.index_select(-1, inverse_) * sign_.to(z.scalar_type());
}

}  // namespace absorb
