// The life of one run: resume, steps, evaluations, checkpoints, a NaN that ends it, a signal that interrupts it.
#pragma once

#include "training/evaluate.h"

namespace absorb {

struct Progress {
  int64_t step = 0, steps = 0;
  double loss = 0;      // of the step
  double val_loss = 0;  // latest; NaN before the first
  double tokens_per_second = 0, seconds_left = 0;
};

struct LoopHooks {
  std::function<void(const Progress&)> progress;     // after steps whose loss was read
  std::function<void(const std::string&)> complain;  // one line about something odd that was mended
  std::function<bool()> interrupted;                 // polled after every step
};

enum class LoopEnd { done, interrupted, not_finite };

struct LoopResult {
  LoopEnd end = LoopEnd::done;
  int64_t step = 0;    // the last one done, or the one whose loss wasn't finite
  double seconds = 0;  // spent in this call on steps alone
  int64_t tokens = 0;  // trained on in this call
};

/// Trains until settings.steps, going on from the newest checkpoint below `run`. Writes metrics.jsonl there.
LoopResult train(Trainer& trainer, const TokenLosses& losses, const Dataset& data, const TrainingSettings& settings,
                 uint64_t seed, const Path& run, at::Device device, const LoopHooks& hooks);

}  // namespace absorb
