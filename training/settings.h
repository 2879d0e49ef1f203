// What a study file says under [training].
#pragma once

#include "core/settings.h"

namespace absorb {

struct TrainingSettings {
  int64_t steps = 1000;
  int64_t batch = 32;
  int64_t accumulate = 1;
  double learning_rate = 1e-3;
  int64_t warmup = 100;
  std::string schedule = "cosine";
  int64_t decay = 0;
  double final_ratio = 0;
  double weight_decay = 0.1;
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double clip = 1;
  int64_t evaluate_every = 0;
  int64_t evaluation_tokens = 65536;
  int64_t checkpoint_every = 200;
  std::vector<std::string> train;
  std::map<std::string, double> rates, freeze, thaw;
  int64_t accounts_every = 10;
  std::vector<int64_t> keep_weights;
  int64_t threads = 1;
  std::string precision = "fp32";
  bool tf32 = true;
};
void fields(Fields& list, TrainingSettings& settings);

/// Steps of linear decay at the end of a schedule that isn't a cosine.
int64_t decay_steps(const TrainingSettings& settings);
/// Learning rate of step `step` (the first is 1): linear warm-up, then cosine to final_ratio x peak at the last step,
/// or constant with a linear decay branch over the last `decay` steps.
double learning_rate(const TrainingSettings& settings, int64_t step);

}  // namespace absorb
