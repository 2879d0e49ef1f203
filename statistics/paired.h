// The test of every contrast: differences paired by seed, by t and by flipping signs. Surprising: flipping the signs of
// n differences can never give a p below 2^(1-n), so at n = 5 it stays above 0.05 whatever the data; smallest_p says
// so.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "statistics/summary.h"

namespace absorb {

/// Up to this n all 2^n sign patterns are counted, beyond it `sign_flip_draws` random ones.
inline constexpr int64_t exact_sign_flip_n = 20;
inline constexpr int64_t sign_flip_draws = 99'999;

/// One number per seed, in nats per token unless it is a difference of fractions (docs/science.md section 6). Values
/// that do not exist (n < 2, a difference that is not finite) are NaN.
struct Paired {
  int64_t n = 0;
  double mean = 0, sd = 0;
  std::optional<Interval> ci95;
  double p_t = 0;          // two-sided; differences that are all the same number give 0, or 1 where that number is 0
  double p_sign_flip = 0;  // two-sided, of the mean
  double smallest_p = 0;   // the least that p_sign_flip can be at this n
};

Paired paired(std::span<const double> differences);

/// Share of the sign patterns whose |sum| reaches that of `differences` (ties count, to 1e-12 of the sum of sizes).
/// With random patterns: (1 + those that reach it) / (1 + sign_flip_draws), the same patterns each time.
double sign_flip_p(std::span<const double> differences);
/// 2^(1-n), or 1 / (1 + sign_flip_draws) where that is larger and the patterns are random; NaN for n = 0.
double smallest_sign_flip_p(int64_t n);

}  // namespace absorb
