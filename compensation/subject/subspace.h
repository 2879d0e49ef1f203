// The subspace that an adaptation moves in: for each of its parts a count sketch of its own, side by side. Surprising:
// where the parts are dealt out anew, some numbers may be in none that learns; they are compressed to nothing, and
// expand() gives them 0.
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
  void deal(const Adaptation& adaptation, at::Device device);

  int64_t all_numbers_ = 0;
  std::vector<int64_t> numbers_;  // of each part that learns
  std::vector<CountSketch> sketches_;
  Tensor chosen_;  // [numbers of the parts that learn] int64: their places among all; undefined: all, in order
};

}  // namespace absorb
