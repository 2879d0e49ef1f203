// How the work of the fused head is shared out: plain arithmetic, for kernels, launchers and tests without a GPU.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/cuda/random.cuh"  // ABSORB_HOST_DEVICE

namespace absorb::kernels {

/// Work of clusters: `tiles` pairs of tiles, each of whose `steps` steps are cut into `parts` shares of equal length
/// but for one step.
struct HeadShares {
  int tiles = 0, parts = 1, steps = 0;
  ABSORB_HOST_DEVICE int units() const { return tiles * parts; }
  ABSORB_HOST_DEVICE int first(int part) const { return static_cast<int>(static_cast<int64_t>(steps) * part / parts); }
};

/// As many parts as keep `clusters` clusters busiest, few where it makes no difference of 1 %. A part has at least
/// eight steps.
inline HeadShares share_out(int64_t tiles, int64_t steps, int64_t clusters, int64_t most_parts) {
  HeadShares best{static_cast<int>(tiles), 1, static_cast<int>(steps)};
  double best_use = 0;
  for (int64_t parts = 1; parts <= std::min(most_parts, std::max<int64_t>(steps / 8, 1)); ++parts) {
    const int64_t rounds = (tiles * parts + clusters - 1) / clusters;
    const double use = static_cast<double>(tiles * parts) / static_cast<double>(rounds * clusters);
    if (use > best_use + 0.01) {
      best_use = use;
      best.parts = static_cast<int>(parts);
    }
  }
  return best;
}

}  // namespace absorb::kernels
