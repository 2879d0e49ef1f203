// Running a subject through recovery. Every adaptation is stored under the hash of what it depends
// on as soon as it is done, so that a killed measurement goes on where it stopped and ends with the same numbers, and
// layers share the adaptations of the undisturbed model.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compensation/recovery.h"
#include "compensation/subject.h"
#include "core/files.h"

namespace absorb {

struct RecoverySettings {
  int64_t steps = 50;                // of adaptation, >= 0
  int64_t draws = 2;                 // random routers per layer, >= 1
  int64_t held_out_sequences = 128;  // spread evenly over the subject's held-out set, >= 1
  Path cache;                        // folder of finished adaptations, made if absent; empty: none are kept
  /// Called before each adaptation or evaluation with what comes next ("1.attention_router draw 0: block.3") and how
  /// many of `total` are done. May throw to stop: finished adaptations stay in the cache.
  std::function<void(std::string_view next, int64_t done, int64_t total)> progress;
};

/// An adaptation that was left out.
struct Diverged {
  std::string group;            // "swap": the swapped model itself has no finite loss
  std::optional<int64_t> draw;  // absent: the adaptation of the undisturbed model
};

struct RecoveryResult {
  Component router;  // what was disturbed
  int64_t steps = 0, draws = 0, held_out_sequences = 0, held_out_tokens = 0;
  double base_loss = 0;          // nats per token, before swap and adaptation
  Measured swap_cost;            // L_swap - L_base, without adaptation
  std::vector<Recovery> groups;  // those of recovery_groups()
  CrossLayerShare share;
  std::vector<Diverged> diverged;  // named, left out of every mean, counted by their number
};

/// v_l(S) = [L_swap - L_swap,S(n)] - [L_base - L_base,S(n)] for every group S around `router` (docs/science.md section
/// 5, item 1), unmatched in dose and capacity. A group without components recovers exactly 0, as does every group after
/// 0 steps. UserError for a router that the subject lacks (with the list) and for settings out of range.
RecoveryResult measure_recovery(Subject& subject, const Component& router, const RecoverySettings& settings);

}  // namespace absorb
