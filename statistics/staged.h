// Plans in stages: train seeds until the verdict is there, at most so many. Whoever looks after every seed and tests at
// 5 % each time finds what isn't there far more often than in 5 %. Here each look has a level of its own, so that all
// looks together reject in 5 %. Surprising: the levels are exact for t tests at any n: without a difference, t of n + 1
// seeds depends on the first n through their t alone (the sum of squares is complete and sufficient for the sd, so that
// everything free of scale is independent of it: Basu 1955); no normal approximation is made. docs/science.md
// section 6.
#pragma once

#include <cstdint>
#include <vector>

namespace absorb {

/// Spent at n of n_most seeds: alpha (n / n_most)^spending_power (Kim and DeMets 1987, Biometrika 74:149). Their 3 is
/// O'Brien and Fleming's plan for many looks; with a look at every seed of so few it costs the t test 5 points of
/// power, 6 costs 2 (tests/statistics/staged_test.cpp).
inline constexpr double spending_power = 6;

/// Looks at every n from n_least to n_most, both counted. A look that nobody takes only lowers the size.
struct StagedPlan {
  int64_t n_least = 0, n_most = 0;  // 3 <= n_least <= n_most
  double alpha = 0.05;              // of all looks together: of the two-sided t test, and of each side of the TOST
};

/// A test passes at this look when its p <= the level.
struct Look {
  int64_t n = 0;
  double spent = 0;       // alpha spent up to and with this look
  double t_level = 0;     // of the two-sided paired t test
  double tost_level = 0;  // of the paired TOST
  bool last = false;      // no seed is trained after it, whatever it says
};

/// The rule of Lan and DeMets (1983, Biometrika 70:659): level j is such that, where the null hypothesis is true, "no
/// look passed before and this one does" has the probability that is spent from look j - 1 to look j. The TOST's are
/// those at its margin, where it is one one-sided t test. InternalError unless 3 <= n_least <= n_most and alpha lies in
/// (0, 1/2).
std::vector<Look> looks(const StagedPlan& plan);

/// The look at n_now seeds; levels of 0 before the first. InternalError as above and for n_now beyond n_most.
Look look_at(int64_t n_now, int64_t n_least, int64_t n_most, double alpha = 0.05);

enum class StagedTest { t, tost };  // two-sided; at the margin

/// The alpha of the plan with which a p at n seeds just passes: what is compared with 0.05, and what Holm adjusts over
/// several contrasts (Holm's k-th step then is a plan of alpha / k, whose levels are not the plan's over k). 1 where it
/// is about 1/2 or above, and before the first look; NaN for a NaN. `plan.alpha` is not read. InternalError as
/// above.
double staged_p(double p, StagedTest test, const StagedPlan& plan, int64_t n);

}  // namespace absorb
