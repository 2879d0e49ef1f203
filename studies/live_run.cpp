#include "studies/live_run.h"

#include "core/error.h"
#include "training/checkpoint.h"

namespace absorb {

LiveRun::LiveRun(const RunSettings& settings, int64_t vocabulary, at::Device device, const Moments* moments)
    : settings_(settings), device_(device), parameters_(static_cast<uint64_t>(settings.seed)) {
  const Target target = target_named(settings.target);
  model_ = std::make_shared<const Model>(settings.model, vocabulary, target.moe, parameters_);
  routes_ = make_routes(*model_, target, settings.attention, settings.moe, parameters_,
                        settings.attention.moments_of.empty() ? nullptr : moments,
                        settings.moe.moments_of.empty() ? nullptr : moments);
  parameters_.gather(device);
}

TokenLosses LiveRun::losses() const {
  return losses(routes_);
}

TokenLosses LiveRun::losses(Routes routes) const {
  return [model = model_, routes = std::move(routes)](const Batch& batch, Pass& pass) {
    return model->losses(batch.tokens, batch.targets, routes, pass);
  };
}

void load_weights(const LiveRun& run, const Path& folder) {
  const Path file = folder / "weights.safetensors";
  require(std::filesystem::exists(file), "{}: isn't finished: it holds no weights.safetensors", folder.string());
  load_tensors(run.parameters(), read_safetensors(file), file);
}

}  // namespace absorb
