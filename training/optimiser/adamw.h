// AdamW over the flat storage: one fused call for each learning rate that is in use, or one kernel for all of them that
// also writes the bf16 copy.
#pragma once

#include "core/safetensors.h"
#include "tensors/linear/fused_weights.h"
#include "tensors/parameters.h"
#include "training/optimiser/rates.h"
#include "training/settings.h"

namespace absorb {

class AdamW {
 public:
  /// `fused`: whose bf16 copy is kept in step with the parameters; null where there is none.
  AdamW(const Parameters& parameters, const TrainingSettings& settings,
        std::shared_ptr<const FusedWeights> fused = nullptr);
  /// Sets what trains, and how fast, for step number `step` (the first is 1). True when that changed: a captured step
  /// is out of date then.
  bool prepare(int64_t step);
  /// Clips the flat gradient to settings.clip, then takes a step at `rate` (a kernel reads it as `on_device`, a float
  /// scalar, so that a captured step advances) times each slice's own ratio. Gradients of what doesn't train are set to
  /// 0 first. Returns the norm before clipping, a scalar on the device.
  Tensor step(double rate, const Tensor& on_device);
  /// Moments and step count by name, for a checkpoint; load() takes the same.
  NamedTensors state() const;
  void load(const std::map<std::string, Tensor>& state);

 private:
  Tensor step_by_libtorch(double rate);
  Tensor step_by_kernel(const Tensor& rate);
  Parameters parameters_;
  TrainingSettings settings_;
  std::shared_ptr<const FusedWeights> fused_;
  std::vector<RateRange> ranges_;
  Tensor ranges_on_device_;  // what the kernel reads of ranges_
  Tensor first_, second_;    // [all numbers]
  Tensor count_;             // float scalar on the device: steps done
};

}  // namespace absorb
