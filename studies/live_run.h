// A run in memory: parameters, model and routes, built from its settings alone.
#pragma once

#include "studies/run_settings.h"
#include "training/evaluate.h"

namespace absorb {

class LiveRun {
 public:
  /// `moments`: of the arm that routing.moments_of names; null when there is none.
  LiveRun(const RunSettings& settings, int64_t vocabulary, at::Device device, const Moments* moments = nullptr);

  /// The loss under the run's own routes.
  TokenLosses losses() const;
  /// The loss under other routes.
  TokenLosses losses(Routes routes) const;

  const RunSettings& settings() const { return settings_; }
  const Parameters& parameters() const { return parameters_; }
  const Model& model() const { return *model_; }
  const Routes& routes() const { return routes_; }
  at::Device device() const { return device_; }

 private:
  RunSettings settings_;
  at::Device device_;
  Parameters parameters_;
  std::shared_ptr<const Model> model_;
  Routes routes_;
};

/// weights.safetensors of a finished run into a live one.
void load_weights(const LiveRun& run, const Path& folder);

}  // namespace absorb
