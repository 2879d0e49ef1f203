// Simulated studies for the tests of statistics/: how often something holds over many of them, with the Monte-Carlo
// error of that share. Fixed seeds, so a test passes or fails the same way each time.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "core/random.h"

namespace absorb {

inline constexpr int simulated_studies = 10'000;

/// Normal differences with this mean and sd, one per seed.
inline std::vector<double> simulate_differences(Random& random, int64_t n, double mean, double sd) {
  std::vector<double> values(static_cast<size_t>(n));
  for (double& value : values) value = mean + sd * random.gauss();
  return values;
}

/// Losses of two arms by seed, correlated as paired arms are.
struct Arms {
  std::vector<double> treatment, control;
};

/// Control: mean 0 and sd 1. Treatment: this mean, `variance_ratio` times the control's variance, correlation 0.6.
inline Arms simulate_arms(Random& random, int64_t n, double mean, double variance_ratio) {
  constexpr double correlation = 0.6;
  Arms arms;
  for (int64_t seed = 0; seed < n; ++seed) {
    const double shared = random.gauss(), own = std::sqrt(1 - correlation * correlation) * random.gauss();
    arms.control.push_back(shared);
    arms.treatment.push_back(mean + std::sqrt(variance_ratio) * (correlation * shared + own));
  }
  return arms;
}

/// Parts of an absorbed share, in nats: element i of both from seed i.
struct Parts {
  std::vector<double> stable, content;
};

/// The three arms' losses vary by `sd` each; V_stable and V_content share the frozen arm's, with opposite signs.
inline Parts simulate_parts(Random& random, int64_t n, double stable, double content, double sd) {
  Parts parts;
  for (int64_t seed = 0; seed < n; ++seed) {
    const double learned = sd * random.gauss(), frozen = sd * random.gauss(), redrawn = sd * random.gauss();
    parts.stable.push_back(stable + redrawn - frozen);
    parts.content.push_back(content + frozen - learned);
  }
  return parts;
}

/// Share of `simulated_studies` studies for which `holds(random)` is true.
template <class Holds>
double simulated_share(uint64_t seed, Holds holds, int studies = simulated_studies) {
  Random random(seed);
  int held = 0;
  for (int study = 0; study < studies; ++study) held += holds(random) ? 1 : 0;
  return static_cast<double>(held) / studies;
}

/// Four standard errors of such a share around a true probability p.
inline double monte_carlo_error(double p, int studies = simulated_studies) {
  return 4 * std::sqrt(p * (1 - p) / studies);
}

}  // namespace absorb
