// Forward, backward, AdamW: one optimiser step at a time. The trainer sees a loss function and parameters, never the
// model, so that anything with both can be trained. On a GPU with fused weights the whole step is captured in a graph
// after a few ordinary ones; an ordinary step has the same bits.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "tensors/linear/fused_weights.h"
#include "training/batch.h"
#include "training/optimiser/accounts.h"
#include "training/optimiser/adamw.h"
#include "training/optimiser/following.h"
#include "training/step_graph.h"

namespace absorb {

/// [B,T] nats per token, 0 where the target is -1; routing losses are left in Pass::out.
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
  /// `seed` names the streams of dropout and noise. `fused`: what the losses' kernels read; null where they have none.
  Trainer(const Parameters& parameters, TokenLosses losses, const TrainingSettings& settings, uint64_t seed,
          std::shared_ptr<const FusedWeights> fused = nullptr);
  /// One step over micro-batches of equal size (settings.accumulate of them), on any device.
  StepResult step(std::span<const Batch> micro_batches);

  int64_t steps_done() const { return steps_done_; }
  const Parameters& parameters() const { return parameters_; }
  /// What the routers were at step 0, in this process or before a checkpoint.
  const Accounts& accounts() const { return accounts_; }
  /// Everything but the parameters that a checkpoint needs.
  NamedTensors optimiser_state() const;
  /// Goes on from a checkpoint's optimiser state.
  void restore(int64_t step, const std::map<std::string, Tensor>& optimiser);
  /// Whether steps are replayed from a graph by now.
  bool captured() const { return graph_ != nullptr; }

 private:
  /// What a step reads, in one tensor that is filled by one copy: step, rate, then tokens and targets of every
  /// micro-batch.
  struct Inputs {
    Tensor all;                  // [2 + numbers] int64 on the device
    Tensor step, rate;           // int64 and float scalars, views of it
    std::vector<Batch> batches;  // views of it
    std::vector<int64_t> shape;  // [micro-batches, B, T]
  };
  void load(std::span<const Batch> micro_batches, const StepResult& step);
  void follow(int64_t step);
  void compute(StepResult& result, bool accounts);
  void capture();
  Parameters parameters_;
  TokenLosses losses_;
  TrainingSettings settings_;
  uint64_t seed_;
  std::shared_ptr<const FusedWeights> fused_;
  AdamW optimiser_;
  Accounts accounts_;
  Following following_;
  int64_t steps_done_ = 0;
  Inputs inputs_;
  int64_t ordinary_steps_ = 0;
  bool capturable_ = false;
  std::unique_ptr<const StepGraph> graph_;
  StepResult replayed_;  // what the graph writes
};

/// Mean nats per token with a target, of [B,T] token losses.
Tensor mean_loss(const Tensor& token_losses, const Batch& batch);

}  // namespace absorb
