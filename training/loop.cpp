#include "training/loop.h"

#include <torch/types.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "core/device.h"
#include "core/error.h"
#include "core/numbers.h"
#include "training/checkpoint.h"
#include "training/metrics.h"

namespace absorb {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Loop {
 public:
  Loop(Trainer& trainer, const TokenLosses& losses, const Dataset& data, const TrainingSettings& settings,
       uint64_t seed, const Path& run, at::Device device, const LoopHooks& hooks)
      : trainer_(trainer),
        losses_(losses),
        data_(data),
        settings_(settings),
        seed_(seed),
        run_(run),
        device_(device),
        hooks_(hooks),
        metrics_(run / "metrics.jsonl", resume()) {
    evaluate_every_ = settings.evaluate_every > 0 ? settings.evaluate_every : std::max<int64_t>(settings.steps / 20, 1);
  }

  LoopResult run() {
    while (trainer_.steps_done() < settings_.steps) {
      const auto start = Clock::now();
      pending_.push_back(trainer_.step(batches(trainer_.steps_done() + 1)));
      const int64_t step = trainer_.steps_done();
      const bool last = step == settings_.steps, evaluates = step % evaluate_every_ == 0 || last;
      const bool stops = hooks_.interrupted && hooks_.interrupted();
      const bool saves = step % settings_.checkpoint_every == 0 || last || stops;
      const bool reads = !device_.is_cuda() || pending_.size() >= 20 || evaluates || saves;
      if (reads && !write_pending()) return finish(LoopEnd::not_finite, bad_step_);
      result_.seconds += seconds_since(start);
      result_.tokens += settings_.batch * data_.context();
      if (reads) report();
      if (evaluates) evaluate_now(step);
      // Before the checkpoint: a run that resumes after it must not lack them.
      if (std::count(settings_.keep_weights.begin(), settings_.keep_weights.end(), step) > 0) keep(step);
      if (saves) save(step);
      if (stops && !last) return finish(LoopEnd::interrupted, step);
    }
    return finish(LoopEnd::done, trainer_.steps_done());
  }

 private:
  int64_t resume() {
    const Checkpoint checkpoint = read_checkpoint(run_, hooks_.complain, whole_steps(run_ / "metrics.jsonl"));
    if (checkpoint.step == 0) return 0;
    load_tensors(trainer_.parameters(), checkpoint.model, run_);
    trainer_.restore(checkpoint.step, checkpoint.optimiser);
    return checkpoint.step;
  }

  std::vector<Batch> batches(int64_t step) const {
    const int64_t size = settings_.batch / settings_.accumulate;
    std::vector<Batch> out;
    for (int64_t micro = 0; micro < settings_.accumulate; ++micro) {
      out.push_back(data_.batch(seed_, step, size, micro * size, settings_.batch));
    }
    return out;
  }

  // Losses are read together, so that a GPU is waited for once in many steps.
  bool write_pending() {
    bool finite = true;
    for (const StepResult& step : pending_) {
      const auto value = [](const Tensor& x) { return x.defined() ? x.item<double>() : 0.0; };
      loss_ = value(step.loss);
      nlohmann::json line = {{"step", step.step},
                             {"loss", loss_},
                             {"grad_norm", value(step.grad_norm)},
                             {"lr", step.learning_rate},
                             {"n_tokens_seen", step.step * settings_.batch * data_.context()}};
      if (step.routing_loss.defined()) line["routing_loss"] = value(step.routing_loss);
      write_account(step.account, line);
      if (finite && !(std::isfinite(loss_) && std::isfinite(value(step.grad_norm)))) {
        finite = false;
        bad_step_ = step.step;
      }
      metrics_.write(line);
      if (!finite) break;
    }
    pending_.clear();
    metrics_.flush();
    return finite;
  }

  void report() const {
    if (!hooks_.progress) return;
    const double rate = result_.seconds > 0 ? static_cast<double>(result_.tokens) / result_.seconds : 0;
    const auto tokens_left =
        static_cast<double>((settings_.steps - trainer_.steps_done()) * settings_.batch * data_.context());
    hooks_.progress(
        {trainer_.steps_done(), settings_.steps, loss_, val_loss_, rate, rate > 0 ? tokens_left / rate : 0});
  }

  void evaluate_now(int64_t step) {
    data_.require_unchanged();  // a file that is written anew under us would be trained on under the old one's hash
    // The same text every time: a last point over other text would bend the curve.
    const EvaluationRequest request{Split::valid, settings_.batch / settings_.accumulate, settings_.evaluation_tokens,
                                    seed_};
    val_loss_ = evaluate(losses_, data_, request, device_).loss;
    metrics_.write({{"step", step}, {"val_loss", val_loss_}});
    metrics_.flush();
  }

  void save(int64_t step) const {
    write_checkpoint(run_, step, named_tensors(trainer_.parameters()), trainer_.optimiser_state());
  }

  void keep(int64_t step) const {
    write_safetensors(run_ / fmt::format("weights-{}.safetensors", step), named_tensors(trainer_.parameters()));
  }

  LoopResult finish(LoopEnd end, int64_t step) {
    result_.end = end;
    result_.step = step;
    return result_;
  }

  Trainer& trainer_;
  const TokenLosses& losses_;
  const Dataset& data_;
  TrainingSettings settings_;
  uint64_t seed_;
  Path run_;
  at::Device device_;
  LoopHooks hooks_;
  Metrics metrics_;
  int64_t evaluate_every_ = 1, bad_step_ = 0;
  std::vector<StepResult> pending_;
  double loss_ = 0, val_loss_ = nan;
  LoopResult result_;
};

}  // namespace

LoopResult train(Trainer& trainer, const TokenLosses& losses, const Dataset& data, const TrainingSettings& settings,
                 uint64_t seed, const Path& run, at::Device device, const LoopHooks& hooks) {
  require(settings.batch % settings.accumulate == 0, "training.accumulate = {} doesn't divide training.batch = {}",
          settings.accumulate, settings.batch);
  return Loop(trainer, losses, data, settings, seed, run, device, hooks).run();
}

}  // namespace absorb
