#include "studies/run/runner.h"

#include <c10/util/Exception.h>
#include <torch/types.h>

#include "core/device.h"
#include "core/error.h"
#include "core/numbers.h"
#include "core/safetensors.h"
#include "core/text/clock.h"
#include "core/text/json.h"
#include "studies/folder/paths.h"
#include "studies/folder/records/cell.h"
#include "studies/folder/records/files.h"
#include "studies/run/causality.h"
#include "studies/run/evaluation.h"
#include "studies/run/interrupt.h"
#include "studies/run/provenance.h"
#include "training/checkpoint.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

// How far the routers moved, relative to their initial values. A trainable router that never moved, or a frozen one
// that did, is a broken run (science.md section 4).
struct Displacement {
  double relative = nan;
  std::string fault;
};

Displacement router_displacement(const LiveRun& run, const Tensor& initial) {
  double moved = 0, size = 0;
  int64_t place = 0;  // in `initial`, which holds the routers one after the other
  Displacement out;
  for (const Stored& now : run.parameters().stored()) {
    if (!is_router(now.slices[0].component.part) || is_copy(now.slices[0])) continue;
    const Tensor before = initial.narrow(0, place, now.leaf.numel()).view(now.leaf.sizes());
    place += now.leaf.numel();
    const double step = (now.leaf.detach() - before).norm().item<double>();
    moved += step * step;
    size += std::pow(before.norm().item<double>(), 2);
    if (now.trained && step == 0) out.fault = fmt::format("the trainable router {} never moved", now.name);
    if (!now.trained && step != 0 && !now.slices[0].follows)
      out.fault = fmt::format("the frozen router {} moved", now.name);
  }
  check(place == initial.numel(), "{} router numbers are known from the start, and {} are there now", initial.numel(),
        place);
  if (size > 0) out.relative = std::sqrt(moved / size);
  return out;
}

class Run {
 public:
  Run(const RunSpec& spec, Claim& claim, const RunnerOptions& options)
      : spec_(spec), claim_(claim), options_(options), settings_(spec.settings) {}

  RunEnd execute() {
    try {
      return train_and_finish();
    } catch (const c10::OutOfMemoryError&) {
      if (!data_ || !options_.explain_memory || (options_.shares_memory && options_.shares_memory())) throw;
      live_.reset();
      options_.explain_memory(settings_, data_->vocabulary());
      throw;
    }
  }

 private:
  RunEnd train_and_finish() {
    configure_torch(static_cast<int>(settings_.training.threads), settings_.training.tf32);
    data_ = make_dataset(settings_.data, settings_.model.context, static_cast<uint64_t>(settings_.seed));
    if (!earlier().data.empty()) require_same_data(spec_.folder, *data_);
    for (const Path& needed : {spec_.parent_run, spec_.moments_run})
      if (!needed.empty()) require_intact(needed, Intact::all);
    if (!spec_.moments_run.empty()) moments_ = read_moments(spec_.moments_run);
    require_causal(settings_);
    live_.emplace(settings_, data_->vocabulary(), options_.device, &moments_);
    if (!settings_.start.from.empty()) load_start(*live_, settings_.start, spec_.parent_run);
    write_file(spec_.folder / "settings.json", sealed(write_run_settings(settings_), 2));
    write_file(spec_.folder / "settings.toml", Settings::from_json(write_run_settings(settings_), "").toml());
    write_record(spec_.folder / "cell.json", CellRecord{spec_.arm, spec_.cell, spec_.identity});
    begin_provenance();
    const LoopResult loop = train_it();
    if (loop.end == LoopEnd::interrupted) return RunEnd::interrupted;
    if (loop.end == LoopEnd::not_finite)
      return fail(fmt::format("step {}: the loss or its gradient is not finite", loop.step));
    return finish();
  }

  // A damaged run.json costs the time of earlier sittings and no more.
  ProvenanceRecord earlier() const {
    const Path file = spec_.folder / "run.json";
    if (!fs::exists(file)) return {};
    try {
      return read_record<ProvenanceRecord>(file);
    } catch (const UserError& error) {
      options_.say(error.what());
      return {};
    }
  }
  void begin_provenance() {
    const ProvenanceRecord before = earlier();
    run_ = provenance(options_.argv, device_name(options_.device), settings_.training.threads);
    run_.data = {{"describe", data_->describe()}, {"hash", data_->hash()}};
    run_.seconds = std::isfinite(before.seconds) ? before.seconds : 0;
    run_.tokens = before.tokens.value_or(0);
    write_run();
  }
  void write_run() const { write_record(spec_.folder / "run.json", run_); }

  LoopResult train_it() {
    const auto fused = options_.fused ? live_->fused_weights() : nullptr;
    run_.kernels = fused ? "fused" : "composition";
    const TokenLosses losses = live_->training_losses(fused);
    Trainer trainer(live_->parameters(), losses, settings_.training, static_cast<uint64_t>(settings_.seed), fused);
    LoopHooks hooks;
    hooks.complain = options_.say;
    hooks.interrupted = interrupted;
    hooks.progress = [this](const Progress& progress) {
      claim_.beat({progress.step, progress.steps, progress.loss, progress.tokens_per_second, progress.seconds_left});
      if (options_.progress) options_.progress(spec_, progress);
    };
    const LoopResult loop = train(trainer, losses, *data_, settings_.training, static_cast<uint64_t>(settings_.seed),
                                  spec_.folder, options_.device, hooks);
    initial_routers_ = trainer.accounts().initial();
    run_.seconds += loop.seconds;
    *run_.tokens += loop.tokens;
    run_.peak_gpu_bytes = peak_bytes(options_.device);
    run_.runs_at_once = options_.jobs;
    write_run();
    return loop;
  }

  RunEnd fail(const std::string& reason) const {
    write_file(spec_.folder / "FAILED", reason + '\n');
    remove_checkpoints(spec_.folder);
    options_.say(fmt::format("{} failed: {}", spec_.name(), reason));
    return RunEnd::failed;
  }

  bool learns_without_gradient() const {
    const auto& routes = live_->routes().at;
    return std::any_of(routes.begin(), routes.end(), [](const auto& at) { return !at.second->reaches_router(); });
  }

  RunEnd finish() {
    const Displacement displacement = router_displacement(*live_, initial_routers_);
    if (!displacement.fault.empty() && !learns_without_gradient()) return fail(displacement.fault);
    const int64_t k = options_.top_k > 0 ? options_.top_k : std::max<int64_t>(data_->context() / 8, 1);
    const DeploymentResults deployed = deploy(*live_, *data_, k);
    const Evaluation test = evaluate(live_->losses(), *data_,
                                     {Split::test, settings_.training.batch / settings_.training.accumulate, 0,
                                      static_cast<uint64_t>(settings_.seed)},
                                     options_.device);
    const Size size = size_of(settings_, data_->vocabulary());
    const double bytes = data_->bytes_per_token(Split::valid);
    ResultRecord result;
    result.val_loss = deployed.native.loss;
    result.test_loss = test.tokens > 0 ? test.loss : nan;
    result.bits_per_byte = bytes > 0 ? deployed.native.loss / std::log(2.0) / bytes : nan;
    result.val_tokens = deployed.native.tokens;
    result.chance = deployed.native.chance;
    result.evaluations = deployed.losses;
    result.swap_sd = deployed.swap_sd;
    result.top_k = k;
    result.mass_top_k = deployed.mass_top_k;
    result.mass_uniform = deployed.mass_uniform;
    result.health = deployed.health;
    result.router_displacement = displacement.relative;
    result.parameters = size.parameters;
    result.flops_per_token = size.flops_per_token;
    write_tensors(deployed);
    write_record(spec_.folder / "result.json", result);
    run_.finished = utc_now();
    write_run();
    write_files_record(spec_.folder);
    write_file(spec_.folder / "DONE", spec_.identity + '\n');
    remove_checkpoints(spec_.folder);
    return RunEnd::done;
  }

  void write_tensors(const DeploymentResults& deployed) const {
    write_safetensors(spec_.folder / "weights.safetensors", named_tensors(live_->parameters()),
                      metadata(WeightsMetadata{spec_.arm, settings_.target, spec_.identity}));
    NamedTensors moments(deployed.moments.begin(), deployed.moments.end());
    write_safetensors(spec_.folder / "moments.safetensors", moments);
    const auto copy = [](const auto& values, at::ScalarType type) {
      Tensor out = at::empty({static_cast<int64_t>(values.size())}, type);
      std::memcpy(out.mutable_data_ptr(), values.data(), values.size() * sizeof(values[0]));
      return out;
    };
    write_safetensors(spec_.folder / "documents.safetensors",
                      {{"document", copy(deployed.native.documents, at::kLong)},
                       {"loss_sum", copy(deployed.native.document_losses, at::kDouble)},
                       {"tokens", copy(deployed.native.document_tokens, at::kLong)}});
  }

  const RunSpec& spec_;
  Claim& claim_;
  const RunnerOptions& options_;
  const RunSettings& settings_;
  std::shared_ptr<const Dataset> data_;
  Moments moments_;
  std::optional<LiveRun> live_;
  Tensor initial_routers_;  // [router numbers], before the first step
  ProvenanceRecord run_;
};

}  // namespace

bool is_closed(const RunSpec& run) {
  return has_ended(run.folder);
}

RunEnd execute(const RunSpec& run, Claim& claim, const RunnerOptions& options) {
  return Run(run, claim, options).execute();
}

}  // namespace absorb
