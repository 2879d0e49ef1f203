// Forward, backward, AdamW: one optimiser step at a time. The trainer sees a loss function and parameters, never the
// model, so that anything with both can be trained.
#pragma once

#include <functional>
#include <span>

#include "core/pass.h"
#include "training/accounts.h"
#include "training/adamw.h"
#include "training/batch.h"

namespace absorb {

/// [B,T] nats per token, 0 where the target is -1; routing losses are left in pass.losses.
using TokenLosses = std::function<Tensor(const Batch&, Pass&)>;

/// What one step did. Tensors are scalars on the device, so that a GPU isn't waited for at every step.
struct StepResult {
  int64_t step = 0;
  double learning_rate = 0;
  Tensor loss, routing_loss, grad_norm;
  Account account;  // empty on most steps (settings.accounts_every)
};

class Trainer {
 public:
  /// `seed` names the streams of dropout and noise.
  Trainer(const Parameters& parameters, TokenLosses losses, const TrainingSettings& settings, uint64_t seed);
  /// One step over micro-batches of equal size (settings.accumulate of them).
  StepResult step(std::span<const Batch> micro_batches);

  int64_t steps_done() const { return steps_done_; }
  const Parameters& parameters() const { return parameters_; }
  /// Everything but the parameters that a checkpoint needs.
  NamedTensors optimiser_state() const;
  /// Goes on from a checkpoint's optimiser state.
  void restore(int64_t step, const std::map<std::string, Tensor>& optimiser);

 private:
  Parameters parameters_;
  TokenLosses losses_;
  TrainingSettings settings_;
  uint64_t seed_;
  AdamW optimiser_;
  Accounts accounts_;
  int64_t steps_done_ = 0;
  Tensor step_;  // int64 scalar on the device
};

/// Mean nats per token with a target, of [B,T] token losses.
Tensor mean_loss(const Tensor& token_losses, const Batch& batch);

}  // namespace absorb
