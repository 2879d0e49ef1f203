// AdamW over the flat storage: one fused call for each learning rate that is in use.
#pragma once

#include "core/parameters.h"
#include "core/safetensors.h"
#include "training/settings.h"

namespace absorb {

class AdamW {
 public:
  AdamW(const Parameters& parameters, const TrainingSettings& settings);
  /// Clips the flat gradient to settings.clip, then takes step number `step` (the first is 1) at `rate` times each
  /// slice's own ratio. Gradients of what doesn't train are set to 0 first. Returns the norm before clipping, a scalar
  /// on the device.
  Tensor step(double rate, int64_t step);
  /// Moments and step count by name, for a checkpoint; load() takes the same.
  NamedTensors state() const;
  void load(const std::map<std::string, Tensor>& state);

 private:
  Parameters parameters_;
  TrainingSettings settings_;
  Tensor first_, second_;  // [all numbers]
  Tensor count_;           // float scalar on the device: steps done
};

}  // namespace absorb
