#include "training/settings.h"

#include <cmath>
#include <numbers>

namespace absorb {

void fields(Fields& list, TrainingSettings& s) {
  list.field("steps", s.steps, {1, 100000000}, "Optimiser steps.");
  list.field("batch", s.batch, {1, 1 << 20}, "Sequences a step, accumulation included.");
  list.field("accumulate", s.accumulate, {1, 4096}, "Micro-batches that a step's batch is cut into; they divide it.");
  list.field("learning_rate", s.learning_rate, {0, 100}, "Peak rate of AdamW.");
  list.field("warmup", s.warmup, {0, 100000000}, "Steps of linear warm-up.");
  list.field(
      "schedule", s.schedule, {"cosine", "constant", "wsd"},
      "After the warm-up; wsd (warm-up, stable, decay): constant, and decay over a tenth, or over `decay` steps.");
  list.field("decay", s.decay, {0, 100000000}, "Steps of linear decay at the end of a constant or wsd schedule.");
  list.field("final_ratio", s.final_ratio, {0, 1}, "Rate at the last step over the peak.");
  list.field("weight_decay", s.weight_decay, {0, 10}, "Decoupled decay of every trained parameter.");
  list.field("beta1", s.beta1, {0, 0.9999999}, "AdamW.");
  list.field("beta2", s.beta2, {0, 0.9999999}, "AdamW.");
  list.field("epsilon", s.epsilon, {0, 1}, "AdamW.");
  list.field("clip", s.clip, {0, 1e9}, "Largest norm of the gradient; 0: no clipping.");
  list.field("evaluate_every", s.evaluate_every, {0, 100000000},
             "Steps between evaluations on valid text; 0: twenty in a run.");
  list.field(
      "evaluation_tokens", s.evaluation_tokens, {1, 1000000000000},
      "Tokens of valid text in each evaluation during training, the same ones every time; tables are over all of it.");
  list.field("checkpoint_every", s.checkpoint_every, {1, 100000000}, "Steps between checkpoints.");
  list.field("train", s.train,
             "What trains: \"routers\", \"backbone\", or patterns of parameter names such as \"blocks.*.attention.q\"; "
             "empty: everything.");
  list.field("rates", s.rates, {0, 1e6},
             "Ratios to the learning rate, by pattern of parameter names; the last pattern in order that fits counts.");
  list.field("freeze", s.freeze, {0, 1e9}, "Steps after which parameters stop to train, by pattern of their names.");
  list.field("thaw", s.thaw, {0, 1e9}, "Steps up to which parameters don't train yet, by pattern of their names.");
  list.field("accounts_every", s.accounts_every, {1, 100000000},
             "Steps between accounts in metrics.jsonl: gradient norm of each part, realised density and operations, "
             "router displacement.");
  list.field("keep_weights", s.keep_weights, {1, 100000000},
             "Steps at which the weights are kept for good, for deployments that ask for routes of a step.");
  list.field("threads", s.threads, {1, 1024}, "CPU threads of a run; another number changes the last bits.");
  list.field("precision", s.precision, {"fp32", "bf16"},
             "Of matrix products in training: fp32, or bf16 with fp32 weights, reductions and residual stream. What is "
             "measured on finished weights is measured in fp32.");
  list.field("tf32", s.tf32, "On a GPU: matrix products in TF32.");
}

int64_t decay_steps(const TrainingSettings& s) {
  return s.decay == 0 && s.schedule == "wsd" ? s.steps / 10 : s.decay;
}

double learning_rate(const TrainingSettings& s, int64_t step) {
  const auto at = static_cast<double>(step);
  const auto warmup = static_cast<double>(s.warmup), last = static_cast<double>(s.steps);
  if (at < warmup) return s.learning_rate * at / warmup;
  if (s.schedule == "cosine") {
    const double progress = last > warmup ? (at - warmup) / (last - warmup) : 1;
    const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * progress));
    return s.learning_rate * (s.final_ratio + (1 - s.final_ratio) * cosine);
  }
  const double left = last - at;
  const auto decay = static_cast<double>(decay_steps(s));
  if (decay == 0 || left >= decay) return s.learning_rate;
  return s.learning_rate * (s.final_ratio + (1 - s.final_ratio) * left / decay);
}

}  // namespace absorb
