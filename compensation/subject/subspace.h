// The subspace that an adaptation moves in: for each of its parts a count sketch of its own, side by side.
#pragma once

#include "compensation/subject/sketch.h"
#include "compensation/subject/subject.h"

namespace absorb {

class Subspace {
 public:
  /// `numbers` [parts]: how many numbers each part of the adaptation has.
  Subspace(const Adaptation& adaptation, const std::vector<int64_t>& numbers, at::Device device);

  /// Of all parts together.
  int64_t dimension() const;
  /// [..., numbers of all parts] -> [..., dimension()]
  Tensor compress(const Tensor& x) const;
  /// [dimension()] -> [numbers of all parts], its transpose.
  Tensor expand(const Tensor& z) const;

 private:
  std::vector<int64_t> numbers_;
  std::vector<CountSketch> sketches_;
};

}  // namespace absorb
