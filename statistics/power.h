// How many seeds a paired study needs, and what a given number of seeds can decide: the power of the paired t test and
// of the TOST, both exact for normal differences. Surprising: a pilot of a few seeds knows its own sd badly, so every n
// for a pilot's sd should stand beside the n for sd_upper_limit. docs/science.md section 6.
#pragma once

#include <cstdint>
#include <optional>

#include "statistics/verdict.h"

namespace absorb {

/// No n beyond it is searched for.
inline constexpr int64_t most_seeds = 10'000;

/// Normal differences, one per seed, with this sd > 0; everything in the unit of the differences (nats per token for
/// losses).
struct PairedDesign {
  double sd = 0;
  double margin = 0;            // > 0: the least difference worth finding, and the margin of a tie
  double alpha = 0.05;          // of the two-sided t test, and of each side of the TOST
  int64_t least_n = verdict_n;  // no verdict below it, whatever the power
};

/// Probability that the two-sided paired t test passes at n seeds when the true mean is `margin`. With df = n - 1, c
/// the 1 - alpha/2 quantile of t and T noncentral t with noncentrality sqrt(n) margin / sd: P(T >= c) + P(T <= -c)
/// (Johnson, Kotz and Balakrishnan 1995, Continuous Univariate Distributions 2, chapter 31). 0 for n < 2.
/// InternalError unless sd, margin > 0 and alpha in (0, 1/2).
double t_power(const PairedDesign& design, int64_t n);

/// Probability that the paired TOST passes at n seeds when the true mean is `mean` (0: a tie). It passes where |mean of
/// the differences| <= margin - c s / sqrt(n), with c the 1 - alpha quantile of t(n - 1) and s their sd. Mean and s are
/// independent, so this is the integral over s of the normal probability of that range (Phillips 1990, J.
/// Pharmacokinetics and Biopharmaceutics 18:137, who writes it with Owen's Q), by Gauss-Kronrod quadrature to 1e-9. 0
/// for n < 2. InternalError as above.
double tost_power(const PairedDesign& design, int64_t n, double mean = 0);

/// The smallest n >= least_n with at least this power in (0, 1); absent where most_seeds don't reach it.
std::optional<int64_t> seeds_for_t(const PairedDesign& design, double power);
/// The same for the TOST at a true mean of 0.
std::optional<int64_t> seeds_for_tost(const PairedDesign& design, double power);

/// The smallest true mean that the paired t test finds at n seeds of this sd with this power, in the unit of the sd:
/// what an undecided row could have found. NaN for n < 2 and an sd that isn't above 0.
double smallest_found(double sd, int64_t n, double power = 0.8, double alpha = 0.05);

/// The one-sided upper confidence limit of an sd that n >= 2 seeds gave: sd sqrt((n - 1) / q), q the 1 - level quantile
/// of chi-square(n - 1). A study planned with the 80 % limit of a pilot reaches its power in at least 80 % of all
/// pilots (Browne 1995, Statistics in Medicine 14:1933). InternalError for n < 2 or a level outside (0, 1).
double sd_upper_limit(double sd, int64_t n, double level = 0.8);

}  // namespace absorb
