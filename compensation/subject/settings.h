// What a study file says under [compensation]. It changes no run: measurements are kept under the hash of what they
// depend on, so that other settings here are other measurements beside the old ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/settings.h"

namespace absorb {

struct CompensationSettings {
  std::vector<std::string> measures;  // empty: all of them
  // Recovery and the component graph
  std::vector<int64_t> steps = {5, 10, 20};  // of adaptation, rising; the last is the headline
  std::vector<int64_t> dimensions = {256,
                                     0};  // of the adapting subspace; 0: all coordinates; the first is the headline
  int64_t draws = 4;                      // of the disturbance, each with a subspace of its own
  double damage = 0.02;                   // nats per token that every disturbance costs; 0: routers are swapped whole
  int64_t batch = 0;                      // sequences a step of adaptation; 0: the run's own
  int64_t sequences = 128;                // held-out sequences to begin with
  int64_t most_sequences = 1024;
  int64_t component_draws = 1;
  int64_t damage_doublings = 0;   // of `damage`, each a point of the curve over the dose
  int64_t random_partitions = 0;  // for each draw, of the players' numbers into parts of their sizes; 0: none
  // What sets the sample sizes
  double precision = 0.1;  // relative standard error to stop at
  // Coupling
  int64_t examples = 256;  // to begin with
  int64_t most_examples = 1024;
  int64_t sketch = 4096;  // numbers a component's gradient is sketched to; 0: exact
  int64_t permutations = 200;
  // Curvature and the first-order baseline
  int64_t probes = 8;  // random directions for each component, to begin with
  int64_t most_probes = 32;
  int64_t curvature_sequences = 16;  // in each of the two independent batches
  // Drift
  std::string paired;  // the other arm of the pair; empty: the control of the arm's first contrast
  std::string same;    // another draw of that one (A/A); empty: its name with a 2, where there is such an arm
};
void fields(Fields& list, CompensationSettings& settings);
/// As the measures' identities have them: what was added later is left out at its default, so that what was measured
/// before stays current.
Json identifying(const CompensationSettings& settings);
/// UserError, starting with `where`, for steps that don't rise, a dimension that stands twice, or none of either.
void require_sensible(const CompensationSettings& settings, const std::string& where);

}  // namespace absorb
