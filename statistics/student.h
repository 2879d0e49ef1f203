// Student's t distribution: every test and interval of this folder is built on these three functions. Boost.Math is
// included here and in power.cpp alone.
#pragma once

namespace absorb {

/// The value that a t variable with `df` > 0 degrees of freedom stays below with probability `p` in (0, 1).
double t_quantile(double p, double df);
/// P(T >= t); t may be infinite. NaN for a NaN.
double t_upper_tail(double t, double df);
/// P(|T| >= |t|); t may be infinite. NaN for a NaN.
double t_two_sided(double t, double df);

}  // namespace absorb
