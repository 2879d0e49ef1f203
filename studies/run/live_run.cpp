#include "studies/run/live_run.h"

#include <torch/types.h>

#include "core/error.h"
#include "core/safetensors.h"
#include "studies/folder/paths.h"
#include "studies/pretrained/pretrained.h"
#include "tensors/linear/fused_weights.h"
#include "training/checkpoint.h"
#include "training/optimiser/rates.h"
#include "transformer/gains.h"

namespace absorb {

LiveRun::LiveRun(const RunSettings& settings, int64_t vocabulary, at::Device device, const Moments* moments,
                 at::ScalarType dtype)
    : settings_(settings), device_(device), parameters_(static_cast<uint64_t>(settings.seed), dtype) {
  const Target target = target_named(settings.target);
  model_ = std::make_shared<const Model>(settings.model, vocabulary, target.moe, parameters_);
  routes_ = make_routes(*model_, target, settings.attention, settings.moe, parameters_,
                        settings.attention.moments_of.empty() ? nullptr : moments,
                        settings.moe.moments_of.empty() ? nullptr : moments);
  cost_ = model_cost(settings.model, vocabulary, target.moe, routes_);
  select_trained(parameters_, settings.training);
  parameters_.gather(device);
}

std::shared_ptr<const FusedWeights> LiveRun::fused_weights() const {
  if (!device_.is_cuda() || settings_.training.precision != "bf16") return nullptr;
  if (settings_.model.layer_loss > 0)
    return nullptr;  // the stream has readers beside the next norm, which no kernel has
  return std::make_shared<const FusedWeights>(parameters_);
}

TokenLosses LiveRun::training_losses(std::shared_ptr<const FusedWeights> fused) const {
  return [inner = losses(), bf16 = settings_.training.precision == "bf16", fused = std::move(fused), cost = cost_,
          routes = routes_](const Batch& batch, Pass& pass) {
    if (fused && !pass.in.weights_in_step) fused->refresh();
    PassInput input = pass.in;
    input.bf16 = bf16;
    input.fused = fused;
    const Tensor out = with_input(pass, std::move(input), [&](Pass& informed) { return inner(batch, informed); });
    if (pass.in.account)  // a token sees half of the context on average
      pass.out.operations =
          realised_operations(cost, routes, pass.out.densities, static_cast<double>(batch.tokens.size(1)) / 2);
    return out;
  };
}

TokenLosses LiveRun::losses() const {
  return losses(routes_);
}

bool reads_gains(const Routes& routes) {
  const Registries& all = registries();
  for (const auto& [site, route] : routes.at) {
    if (route->task().attention()) continue;
    if (all.routers.traits(route->settings().router.type).gains) return true;
    for (const auto& [name, loss] : route->settings().losses)
      if (all.losses.traits(name).gains) return true;
  }
  return false;
}

TokenLosses LiveRun::losses(Routes routes) const {
  if (reads_gains(routes))
    return [model = model_, routes = std::move(routes), own = routes_](const Batch& batch, Pass& pass) {
      Routes informed = routes;
      pass.out.waits = true;  // experts are measured one by one
      informed.gains = expected_gains(*model, batch.tokens, batch.targets, own, pass);
      return model->losses(batch.tokens, batch.targets, informed, pass);
    };
  return [model = model_, routes = std::move(routes)](const Batch& batch, Pass& pass) {
    return model->losses(batch.tokens, batch.targets, routes, pass);
  };
}

void load_weights(const LiveRun& run, const Path& folder) {
  const Path file = folder / "weights.safetensors";
  require_weights(folder, "reading this run");
  require(std::filesystem::exists(file), "{}: isn't finished: it holds no weights.safetensors", folder.string());
  load_tensors(run.parameters(), read_safetensors(file), file);
}

Moments read_moments(const Path& folder) {
  Moments moments;
  for (auto& [site, tensor] : read_safetensors(folder / "moments.safetensors")) moments[site] = tensor;
  return moments;
}

namespace {

/// Named tensors that are there or not; undefined: not.
using Weights = std::function<Tensor(const std::string& name)>;

Weights weights_of(const StartSettings& start, const Path& parent) {
  if (names_folder(start.from)) {
    auto model = std::make_shared<const PretrainedModel>(folder_named(start.from));
    require(model->hash() == start.parent, "{}: isn't what it was when the study was planned", start.from);
    return [model](const std::string& name) { return model->contains(name) ? model->read(name) : Tensor(); };
  }
  require_weights(parent, fmt::format("an arm with from = \"{}\"", start.from));
  auto file = std::make_shared<const SafetensorsFile>(parent / "weights.safetensors");
  return [file](const std::string& name) { return file->contains(name) ? file->read(name) : Tensor(); };
}

}  // namespace

void load_start(const LiveRun& run, const StartSettings& start, const Path& parent) {
  at::NoGradGuard no_grad;
  const Weights weights = weights_of(start, parent);
  std::vector<std::size_t> used(start.reinitialise.size(), 0);
  int64_t loaded = 0;
  for (auto& [name, tensor] : named_tensors(run.parameters())) {
    bool anew = false;
    for (std::size_t i = 0; i < start.reinitialise.size(); ++i)
      if (fits(start.reinitialise[i], name)) {
        anew = true;
        ++used[i];
      }
    const Tensor found = anew ? Tensor() : weights(name);
    if (!found.defined()) continue;
    require(found.sizes() == tensor.sizes(),
            "from = \"{}\": {} has another shape there; give both arms the same sizes, or name it in `reinitialise`",
            start.from, name);
    Tensor target = tensor;
    target.copy_(found);
    ++loaded;
  }
  for (std::size_t i = 0; i < used.size(); ++i)
    require(used[i] > 0, "reinitialise: \"{}\" fits no parameter of this arm", start.reinitialise[i]);
  require(loaded > 0, "from = \"{}\": that arm shares no parameter with this one", start.from);
}

}  // namespace absorb
