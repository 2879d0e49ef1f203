// Target `both` is a 2 x 2: the attention router and the expert router are each learned (L) or random (R). The first
// letter is the attention router's, the second the expert router's.
#pragma once

#include <span>
#include <vector>

#include "statistics/paired.h"

namespace absorb {

struct Effect {
  std::vector<double> by_seed;
  Paired paired;
};

struct Factorial {
  Effect gap_attention;  // 1/2 [(RL - LL) + (RR - LR)]
  Effect gap_moe;        // 1/2 [(LR - LL) + (RR - RL)]
  Effect interaction;    // RR - RL - LR + LL: above 0 where one learned router makes up for the other's absence
  Effect severity;       // gap_moe - gap_attention, above 0 where attention absorbs more
};

/// Losses of the four arms.
struct FactorialLosses {
  std::span<const double> ll, rl, lr, rr;  // [seeds] each, nats per token, element i of all from the same seed
};

/// docs/science.md section 3. InternalError where the lengths differ.
Factorial factorial(const FactorialLosses& losses);

}  // namespace absorb
