// Mean and standard deviation of scores per routing group: what shows a router's scale, and what a control is matched
// to.
#pragma once

#include "router/scores.h"

namespace absorb {

/// Running mean and sd per group over many passes.
class MomentSums {
 public:
  void add(const Scores& scores, Visible visible);
  /// [2,G] double.
  Tensor moments() const;

 private:
  Tensor count_, sum_, square_;  // [G] double
};

/// Mean and standard deviation of the visible scores of one pass per group: [2,G] double.
Tensor moments(const Scores& scores, Visible visible);

}  // namespace absorb
