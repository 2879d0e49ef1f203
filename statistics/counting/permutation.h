// The permutation test of two groups whose values aren't pairs: which runs bear which name is shuffled. Where the same
// seeds stand on both sides, statistics/paired.h flips signs instead, which is sharper. Surprising: with few runs no
// data can give a small p (3 against 3: 0.1); smallest_two_sample_p says so.
#pragma once

#include <cstdint>
#include <span>

namespace absorb {

/// Up to this many ways to share out the values all are counted, beyond it `two_sample_draws` random ones.
inline constexpr double most_exact_splits = 200'000;
inline constexpr int64_t two_sample_draws = 99'999;

/// Share of the ways to split the values into groups of these sizes whose means differ by at least as much as observed,
/// in size (two-sided; ties count, to 1e-12 of the sum of sizes). With random splits: (1 + those that reach it) / (1 +
/// two_sample_draws), the same splits each time. NaN where a group is empty or a value is not finite.
double two_sample_p(std::span<const double> a, std::span<const double> b);
/// The least that two_sample_p can be with groups of these sizes, where no values are equal; NaN where one is empty.
double smallest_two_sample_p(int64_t a, int64_t b);

}  // namespace absorb
