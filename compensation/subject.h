// What compensation measures. Everything in this folder sees a trained run through this interface alone, so that the
// measures can be tried on linear subjects whose answers are known in closed form; studies/ holds the adapter for real
// runs. Surprising: a subject never changes. adapt() works on a copy and says only what the copy's losses were, so that
// measurements can be made in any order, repeated, and taken up again after an interruption.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/parameters.h"

namespace absorb {

/// Numbers of held-out sequences, each in [0, Subject::held_out()).
using Examples = std::span<const int64_t>;

/// The disturbance: the routing at each of `routers` (components of part attention_router or expert_router) is replaced
/// by draw number `draw` of a random router, matched to the learned scores' mean and sd per layer and group. The same
/// draw number is the same router in every call. No routers: nothing is replaced.
struct Swap {
  std::vector<Component> routers;
  uint64_t draw = 0;
};

/// Which components learn, and for how many steps; nothing else moves. A trained component that the swap replaced
/// starts from its random draw.
struct Adaptation {
  std::vector<Component> trained;
  int64_t steps = 0;
};

struct Adapted {
  std::vector<double> losses;  // [examples], nats per token after the last step; may be empty if `diverged`
  bool diverged = false;       // a loss that is not finite, or beyond what the subject takes for one
};

class Subject {
 public:
  virtual ~Subject() = default;

  /// Equal for two subjects only if all their answers are: made from the weights, the adaptation batches and rate and
  /// the held-out text. It names cached measurements.
  virtual std::string identity() const = 0;
  /// Every learnable component once; layers count from 0, parts outside the blocks have layer -1.
  virtual std::span<const Component> components() const = 0;
  /// How many blocks.
  virtual int64_t layers() const = 0;
  /// How many held-out sequences there are. All are of one length, so that a mean over them is one over tokens.
  virtual int64_t held_out() const = 0;
  virtual int64_t tokens_per_sequence() const = 0;

  /// [examples], nats per token of each held-out sequence, without adaptation.
  virtual std::vector<double> losses(Examples examples, const Swap& swap) = 0;
  /// Trains a copy and returns its held-out losses: fresh optimiser state, constant rate = peak / 10, dropout off, the
  /// same batches for every swap and every set of components (docs/science.md section 5). 0 steps return losses() bit
  /// for bit.
  virtual Adapted adapt(const Swap& swap, const Adaptation& adaptation, Examples examples) = 0;
};

}  // namespace absorb
