#include "studies/cost/bench.h"

#include <c10/core/Event.h>
#include <torch/types.h>

#include <algorithm>
#include <chrono>

#include "core/device.h"
#include "core/error.h"
#include "training/checkpoint.h"

namespace absorb {
namespace {

constexpr int64_t ring = 8;               // batches
constexpr int64_t endless = 100'000'000;  // steps: the learning rate hardly moves, and no step makes accounts

using Clock = std::chrono::steady_clock;

c10::Stream stream_of(at::Device device) {
  return c10::impl::VirtualGuardImpl(device.type()).getStream(device);
}

// Milliseconds between the marks made with it.
class Marks {
 public:
  explicit Marks(at::Device device) : device_(device) {}
  void mark() {
    if (device_.is_cuda()) {
      events_.emplace_back(device_.type(), c10::EventFlag::BACKEND_DEFAULT);
      events_.back().record(stream_of(device_));
    } else {
      walls_.push_back(Clock::now());
    }
  }
  StepTimes between() const {
    StepTimes times;
    if (!events_.empty()) events_.back().synchronize();
    for (std::size_t i = 1; i < events_.size(); ++i) times.push_back(events_[i - 1].elapsedTime(events_[i]));
    for (std::size_t i = 1; i < walls_.size(); ++i)
      times.push_back(std::chrono::duration<double, std::milli>(walls_[i] - walls_[i - 1]).count());
    return times;
  }

 private:
  at::Device device_;
  std::vector<c10::Event> events_;
  std::vector<Clock::time_point> walls_;
};

// On the CPU, as a corpus gives them: the trainer's copy to the device is part of a step.
std::vector<std::vector<Batch>> random_batches(const RunSettings& run, int64_t vocabulary) {
  at::manual_seed(1);  // LibTorch's generator draws nothing else: the same tokens in every process
  const int64_t micro = run.training.batch / run.training.accumulate, context = run.model.context;
  std::vector<std::vector<Batch>> batches(ring);
  for (auto& batch : batches)
    for (int64_t i = 0; i < run.training.accumulate; ++i) {
      const Tensor text = at::randint(vocabulary, {micro, context + 1}, at::kLong);
      batch.push_back({text.narrow(1, 0, context).contiguous(), text.narrow(1, 1, context).contiguous()});
    }
  return batches;
}

}  // namespace

double median(StepTimes times) {
  check(!times.empty(), "no step was timed");
  std::sort(times.begin(), times.end());
  const std::size_t half = times.size() / 2;
  return times.size() % 2 == 1 ? times[half] : 0.5 * (times[half - 1] + times[half]);
}

double least(const StepTimes& times) {
  check(!times.empty(), "no step was timed");
  return *std::min_element(times.begin(), times.end());
}

BenchRun::BenchRun(const RunSettings& run, int64_t vocabulary, at::Device device, bool fused, int64_t warmup)
    : settings_(run), vocabulary_(vocabulary), device_(device), stream_(device) {
  settings_.training.steps = settings_.training.accounts_every = endless;
  const Target target = target_named(run.target);
  require((!target.attention || run.attention.moments_of.empty()) && (!target.moe || run.moe.moments_of.empty()),
          "this arm takes its scores' moments from another arm's finished run: bench that arm, it costs the same");
  require(run.training.batch % run.training.accumulate == 0,
          "training.accumulate = {} doesn't divide the {} sequences of a step", run.training.accumulate,
          run.training.batch);
  configure_torch(static_cast<int>(run.training.threads), run.training.tf32);
  live_ = std::make_unique<LiveRun>(settings_, vocabulary, device);
  const auto weights = fused ? live_->fused_weights() : nullptr;
  trained_losses_ = live_->training_losses(weights);
  trainer_ = std::make_unique<Trainer>(live_->parameters(), trained_losses_, settings_.training,
                                       static_cast<uint64_t>(settings_.seed), weights);
  batches_ = random_batches(settings_, vocabulary);
  step();
  first_loss_ = last_loss();
  for (int64_t i = 1; i < warmup; ++i) step();
  last_loss();  // waits
}

void BenchRun::step() {
  const auto next = static_cast<std::size_t>(trainer_->steps_done() % ring);
  last_loss_ = trainer_->step(batches_[next]).loss;
}

StepTimes BenchRun::time(int64_t steps) {
  Marks marks(device_);
  marks.mark();
  for (int64_t i = 0; i < steps; ++i) {
    step();
    marks.mark();
  }
  return marks.between();
}

void BenchRun::evaluate(bool exactly) {
  at::NoGradGuard no_grad;
  const BesideNoCapture ordinary;
  const Batch& batch = batches_[0][0];
  Pass pass{.in = {.step = at::zeros({}, at::TensorOptions().dtype(at::kLong).device(device_))}};
  const TokenLosses losses = exactly ? live_->losses() : trained_losses_;
  losses({batch.tokens.to(device_), batch.targets.to(device_)}, pass).to(at::kCPU);
}

void BenchRun::checkpoint(const Path& folder) const {
  write_checkpoint(folder, trainer_->steps_done(), named_tensors(trainer_->parameters()), trainer_->optimiser_state());
}

void BenchRun::build() const {
  const LiveRun again(settings_, vocabulary_, device_);
}

KernelTrace BenchRun::trace(int64_t steps) {
  start_kernel_trace();
  for (int64_t i = 0; i < steps; ++i) step();
  return stop_kernel_trace();
}

int64_t BenchRun::peak() const {
  return peak_bytes(device_);
}

double copy_bandwidth(at::Device device) {
  if (!device.is_cuda()) return 0;
  constexpr int64_t bytes = int64_t{1} << 30;  // twenty times the second-level cache
  constexpr int repeats = 12, warmup = 2;
  const Tensor from = at::empty({bytes}, at::TensorOptions().dtype(at::kByte).device(device)).random_(0, 256);
  Tensor to = at::empty_like(from);
  Marks marks(device);
  for (int i = 0; i < repeats; ++i) {
    marks.mark();
    to.copy_(from);
  }
  marks.mark();
  StepTimes times = marks.between();
  times.erase(times.begin(), times.begin() + warmup);
  return 2.0 * static_cast<double>(bytes) / (1e-3 * median(times));
}

}  // namespace absorb
