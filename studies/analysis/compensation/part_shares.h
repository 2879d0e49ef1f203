// Of what is recovered for a router, each part's share beside its share of the numbers, and beside what a random
// partition into parts of the same sizes recovers: module, rest and cross hold different shares of the network in the
// two targets, so that a difference between their shares may be one of sizes.
#pragma once

#include <array>
#include <span>
#include <string>

#include "compensation/recovery/recovery.h"
#include "statistics/summary.h"

namespace absorb {

/// One part of one router over seeds, at the headline. All are shares: 1 for the three parts together.
struct PartShare {
  std::string part;      // "module", "rest", "cross"
  Summary numbers;       // its numbers / those of the three parts; of no seeds where they were not kept
  Summary share;         // Shapley value / v(all)
  Summary size_matched;  // the same of random partitions (docs/science.md section 5), over the seeds that have them
  Summary excess;        // share - size_matched, over these
};

/// Over the seeds whose share is defined.
std::array<PartShare, 3> part_shares(std::span<const RecoveryResult* const> seeds);

}  // namespace absorb
