#include "studies/analysis/compensation/part_shares.h"

#include <numeric>
#include <vector>

namespace absorb {
namespace {

std::array<double, 3> shares_of(const CrossLayerShare& share) {
  return {share.module.value / share.all.value, share.rest.value / share.all.value,
          share.cross.value / share.all.value};
}

/// One number a seed.
struct Collected {
  std::vector<double> numbers, share, size_matched, excess;
};

void add(std::array<Collected, 3>& parts, const RecoveryResult& result) {
  const CapacityResult& headline = result.capacities.front();
  const std::array<double, 3> shares = shares_of(headline.shares.back());
  const auto all = static_cast<double>(std::accumulate(result.numbers.begin(), result.numbers.end(), int64_t{0}));
  const bool matched = !headline.size_matched.empty() && headline.size_matched.back().share;
  for (std::size_t part = 0; part < 3; ++part) {
    parts[part].share.push_back(shares[part]);
    if (all > 0) parts[part].numbers.push_back(static_cast<double>(result.numbers[part]) / all);
    if (!matched) continue;
    parts[part].size_matched.push_back(shares_of(headline.size_matched.back())[part]);
    parts[part].excess.push_back(shares[part] - parts[part].size_matched.back());
  }
}

}  // namespace

std::array<PartShare, 3> part_shares(std::span<const RecoveryResult* const> seeds) {
  std::array<Collected, 3> parts;
  for (const RecoveryResult* result : seeds)
    if (not_comparable(*result).empty() && result->capacities.front().shares.back().share) add(parts, *result);
  std::array<PartShare, 3> rows;
  for (std::size_t part = 0; part < 3; ++part)
    rows[part] = {coalition_names[1U << part], summarize(parts[part].numbers), summarize(parts[part].share),
                  summarize(parts[part].size_matched), summarize(parts[part].excess)};
  return rows;
}

}  // namespace absorb
