// Where the severity comes from: the paper says that attention absorbs more because the rest of the network makes up
// for its router across layers. Recovered nats at equal dose and capacity, attention minus experts, player by player,
// with intervals over seeds; and the paper's claim as a hypothesis that can fail.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compensation/recovery/recovery.h"
#include "statistics/summary.h"

namespace absorb {

/// What one run's routers of one kind gave.
struct RunRecoveries {
  std::string target;  // "attention", "moe", "both"
  int64_t seed = 0;
  std::vector<RecoveryResult> results;
};

/// One row: attention - experts in one quantity.
struct AttributionRow {
  std::string between;   // "attention - moe" (twins), "within both"
  std::string quantity;  // "cross", "module", "rest", "all" (nats per token), "share" (cross / all),
                         // "excess" (share less that of random partitions of the same sizes)
  std::string unit;      // "nats" or "fraction"
  std::vector<int64_t> seeds;
  /// By seed: the mean over the layers of that kind of router. Of share: the ratio of the means of cross and all, since
  /// a mean of shares would be ruled by the layers that recover least, whose shares are the noisiest.
  std::vector<double> attention, moe;
  double mean = 0, sd = 0, p_t = 0;
  std::optional<Interval> ci95;
};

struct Attribution {
  std::string between;
  int64_t dimension = 0, steps = 0;  // of the headline
  double damage = 0;
  std::vector<AttributionRow> rows;
  /// Of the claim that cross(attention) > cross(moe): "supported" if the interval lies above 0, "contradicted" if
  /// below, else "undecided"; "undecided (n)" with fewer seeds than a verdict needs (statistics/verdict.h).
  std::string verdict;
  std::optional<int64_t> deciding_seeds;  // that would give the interval of the observed mean and sd a power of 0.8
  std::vector<std::string> left_out;  // "attention seed 2, 1.attention_router: the swap costs ..., within its noise"
};

/// At the headline's dimension and steps; where results differ in these, at those of most, and the others are left out.
/// A seed whose v(all) is within its noise has no share. A router whose disturbance costs no more than its noise or
/// whose dose isn't equal is left out with its layer of the other target, and
/// named. Empty where no seed has both kinds.
std::vector<Attribution> attribute(std::span<const RunRecoveries> runs);

}  // namespace absorb
