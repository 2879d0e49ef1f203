// Count sketches (Charikar, Chen and Farach-Colton 2002): n numbers in m buckets with random signs. They give groups of
// every size a subspace of the same dimension to adapt in, and gradients a length that fits in memory. Surprising: the
// buckets are of equal size, cut from a random permutation, so that a sum needs no atomics and has the same bits on
// every device; and entries are +-1, not scaled to unit columns: a number that does nothing can be added to a group
// without weakening the others (docs/compensation.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace absorb {

using at::Tensor;

class CountSketch {
 public:
  /// Of vectors of `numbers` >= 1 to `dimension`; 0, or one that isn't smaller: the identity. The same key is the same
  /// sketch.
  CountSketch(uint64_t key, int64_t numbers, int64_t dimension, at::Device device);

  /// m: `dimension`, or the numbers themselves.
  int64_t dimension() const { return dimension_; }
  /// [..., numbers] -> [..., m]: sums of each bucket's numbers times their signs. E[compress(x).compress(y)] = x.y
  Tensor compress(const Tensor& x) const;
  /// [m] -> [numbers], its transpose: every number is its bucket's times its sign.
  Tensor expand(const Tensor& z) const;

 private:
  int64_t numbers_, dimension_;
  Tensor order_, inverse_;  // [m x size of a bucket] int64: the padded permutation; [numbers]: each number's bucket
  Tensor sign_;             // [numbers]
};

}  // namespace absorb
