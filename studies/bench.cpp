#include "studies/bench.h"

#include <c10/core/Event.h>
#include <torch/types.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <mutex>
#include <thread>

#include "core/device.h"
#include "core/error.h"

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
    : settings_(run), device_(device), stream_(device) {
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
  trainer_ = std::make_unique<Trainer>(live_->parameters(), live_->training_losses(weights), settings_.training,
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

KernelTrace BenchRun::trace(int64_t steps) {
  start_kernel_trace();
  for (int64_t i = 0; i < steps; ++i) step();
  return stop_kernel_trace();
}

int64_t BenchRun::peak() const {
  return peak_bytes(device_);
}

namespace {

// Runs that are timed together, a thread each: they start when all of them are warm.
class Together {
 public:
  explicit Together(int64_t jobs) : jobs_(static_cast<std::size_t>(jobs)), start_(jobs), spans_(jobs_) {}

  double seconds(const std::function<std::unique_ptr<BenchRun>()>& make, int64_t steps) {
    {
      std::vector<std::jthread> threads;
      for (Span& span : spans_) threads.emplace_back([&] { take(span, make, steps); });
    }
    if (error_) std::rethrow_exception(error_);
    const auto begin =
        std::min_element(spans_.begin(), spans_.end(), [](auto& a, auto& b) { return a.begin < b.begin; });
    const auto end = std::max_element(spans_.begin(), spans_.end(), [](auto& a, auto& b) { return a.end < b.end; });
    return std::chrono::duration<double>(end->end - begin->begin).count() / static_cast<double>(steps) /
           static_cast<double>(jobs_);
  }

 private:
  struct Span {
    Clock::time_point begin, end;
  };
  void take(Span& span, const std::function<std::unique_ptr<BenchRun>()>& make, int64_t steps) {
    std::unique_ptr<BenchRun> run;
    try {
      const std::lock_guard lock(building_);
      run = make();
    } catch (...) {
      const std::lock_guard lock(building_);
      error_ = std::current_exception();
    }
    start_.arrive_and_wait();
    if (error_) return;
    span.begin = Clock::now();
    run->time(steps);
    span.end = Clock::now();
  }
  std::size_t jobs_;
  std::barrier<> start_;
  std::vector<Span> spans_;
  std::mutex building_;
  std::exception_ptr error_;
};

}  // namespace

double step_seconds(const RunSettings& run, int64_t vocabulary, at::Device device, bool fused, int64_t jobs) {
  constexpr int64_t warmup = 8, steps = 40;
  return Together(jobs).seconds([&] { return std::make_unique<BenchRun>(run, vocabulary, device, fused, warmup); },
                                steps);
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
