// A whole training step - forward, backward, clipping, AdamW - as a run of a study takes it, for size x arm:
// step/small/dense ... step/paper/both. Steps are timed one by one, since the machine's own work makes means useless.
#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <benchmark/benchmark.h>
#include <torch/types.h>

#include <algorithm>
#include <chrono>
#include <ctime>

#include "benchmarks/arms.h"
#include "studies/cost/bench.h"
#include "training/trainer.h"

namespace absorb::bench {
namespace {

constexpr int warmup_steps = 3;

/// One run without its corpus: random tokens cost what text costs.
class Run {
 public:
  Run(const ArmSize& size, const std::string& arm)
      : size_(size),
        parameters_(/*seed=*/1),
        model_(size.model, size.vocabulary, target_named(arm).moe, parameters_),
        routes_(make_routes(model_, target_named(arm), size.attention, size.moe, parameters_)) {
    at::manual_seed(1);  // LibTorch's generator draws the tokens: the same loss in every run
    parameters_.gather(at::kCPU);
    TrainingSettings settings;
    settings.learning_rate = 3e-4;
    trainer_ = std::make_unique<Trainer>(
        parameters_,
        [this](const Batch& batch, Pass& pass) { return model_.losses(batch.tokens, batch.targets, routes_, pass); },
        settings, /*seed=*/1);
  }

  Batch batch() const {
    const Tensor text = at::randint(size_.vocabulary, {size_.batch, size_.model.context + 1}, at::kLong);
    return {text.narrow(1, 0, size_.model.context).contiguous(), text.narrow(1, 1, size_.model.context).contiguous()};
  }

  Tensor step(const Batch& batch) { return trainer_->step({&batch, 1}).loss; }
  int64_t tokens() const { return size_.batch * size_.model.context; }
  int64_t parameters() const { return parameters_.counts().unique; }

 private:
  ArmSize size_;
  Parameters parameters_;
  Model model_;
  Routes routes_;
  std::unique_ptr<Trainer> trainer_;
};

double wall_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double cpu_ms() {
  return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}  // of all threads

void time_steps(benchmark::State& state, const ArmSize& size, const std::string& arm) {
  Run run(size, arm);
  Tensor loss;
  for (int i = 0; i < warmup_steps; ++i) loss = run.step(run.batch());
  std::vector<double> wall, cpu;
  for (auto unused : state) {
    const Batch batch = run.batch();
    const double wall_begin = wall_ms(), cpu_begin = cpu_ms();
    loss = run.step(batch);
    wall.push_back(wall_ms() - wall_begin);
    cpu.push_back(cpu_ms() - cpu_begin);
  }
  const auto tokens = static_cast<double>(run.tokens());
  state.SetItemsProcessed(state.iterations() * run.tokens());
  state.counters["tokens"] = tokens;
  state.counters["parameters"] = static_cast<double>(run.parameters());
  state.counters["loss"] = loss.item<double>();
  state.counters["median_ms"] = median(wall);
  state.counters["min_ms"] = *std::min_element(wall.begin(), wall.end());
  state.counters["cpu_median_ms"] = median(cpu);
  state.counters["cpu_min_ms"] = *std::min_element(cpu.begin(), cpu.end());
}

}  // namespace

void register_steps(int64_t steps) {
  for (const ArmSize& size : {small_size(), paper_size()})
    for (const std::string arm : {"dense", "attention", "moe", "both"})
      benchmark::RegisterBenchmark(("step/" + size.name + "/" + arm).c_str(),
                                   [size, arm](benchmark::State& state) { time_steps(state, size, arm); })
          ->Iterations(steps)
          ->Unit(benchmark::kMillisecond)
          ->MeasureProcessCPUTime()
          ->UseRealTime();
}

}  // namespace absorb::bench
