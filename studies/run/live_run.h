// A run in memory: parameters, model and routes, built from its settings alone.
#pragma once

#include "studies/plan/run_settings.h"
#include "training/evaluate.h"
#include "transformer/cost.h"

namespace absorb {

class LiveRun {
 public:
  /// `moments`: of the arm that routing.moments_of names; null when there is none. Training is in `dtype` float.
  LiveRun(const RunSettings& settings, int64_t vocabulary, at::Device device, const Moments* moments = nullptr,
          at::ScalarType dtype = at::kFloat);

  /// The loss that training minimises: under the run's own routes, in settings.training.precision, with kernels where
  /// `fused` is given.
  TokenLosses training_losses(std::shared_ptr<const FusedWeights> fused) const;
  /// What kernels read and the trainer keeps in step; null where none would run: on a CPU, in fp32,
  /// or where layers are supervised.
  std::shared_ptr<const FusedWeights> fused_weights() const;
  /// The loss under the run's own routes, in fp32.
  TokenLosses losses() const;
  /// The loss under other routes. Where one of them reads gains of experts, these are measured on each batch first,
  /// under the run's own routes.
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
  ModelCost cost_;
};

/// weights.safetensors of a finished run into a live one.
void load_weights(const LiveRun& run, const Path& folder);
/// moments.safetensors of a finished run.
Moments read_moments(const Path& folder);
/// Another run's weights, by name, as the start of `run`: what both have, less what `start.reinitialise` names.
/// `parent` is that run's folder; where `start.from` names a Hugging Face folder, the weights are that one's. UserError
/// where a tensor has another shape.
void load_start(const LiveRun& run, const StartSettings& start, const Path& parent);
/// Whether a router or loss at experts needs their measured gains.
bool reads_gains(const Routes& routes);

}  // namespace absorb
