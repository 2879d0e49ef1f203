#include "studies/cost/together.h"

#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

namespace absorb {
namespace {

using Clock = std::chrono::steady_clock;
using Phase = std::function<void(BenchRun&, int64_t job)>;

constexpr int64_t warmup = 8, steps = 40, passes = 3;

class Together {
 public:
  Together(const TimedTogether& what, std::vector<Phase> phases)
      : what_(what), phases_(std::move(phases)), start_(what.jobs), spans_(static_cast<std::size_t>(what.jobs)) {}

  // Seconds of each phase, over the number of runs.
  std::vector<double> seconds() {
    {
      std::vector<std::jthread> threads;
      for (int64_t job = 0; job < what_.jobs; ++job) threads.emplace_back([this, job] { take(job); });
    }
    if (error_) std::rethrow_exception(error_);
    std::vector<double> out;
    for (std::size_t phase = 0; phase < phases_.size(); ++phase) {
      auto [begin, end] = spans_[0][phase];
      for (const auto& spans : spans_) {
        begin = std::min(begin, spans[phase].begin);
        end = std::max(end, spans[phase].end);
      }
      out.push_back(std::chrono::duration<double>(end - begin).count() / static_cast<double>(what_.jobs));
    }
    return out;
  }

 private:
  struct Span {
    Clock::time_point begin, end;
  };
  void take(int64_t job) {
    try {
      std::optional<BenchRun> run;
      {
        const std::lock_guard lock(mutex_);
        run.emplace(what_.run, what_.vocabulary, what_.device, what_.fused, warmup);
      }
      for (const Phase& phase : phases_) {
        start_.arrive_and_wait();
        const auto begin = Clock::now();
        phase(*run, job);
        spans_[static_cast<std::size_t>(job)].push_back({begin, Clock::now()});
      }
    } catch (...) {
      start_.arrive_and_drop();
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
    }
  }
  const TimedTogether& what_;
  std::vector<Phase> phases_;
  std::barrier<> start_;
  std::vector<std::vector<Span>> spans_;  // by job and phase
  std::mutex mutex_;
  std::exception_ptr error_;
};

Phase evaluations(int64_t count, bool exactly) {
  return [count, exactly](BenchRun& run, int64_t) {
    for (int64_t i = 0; i < count; ++i) run.evaluate(exactly);
  };
}

void take_steps(BenchRun& run, int64_t) {
  run.time(steps);
}

}  // namespace

RunTimes run_times(const TimedTogether& what, const Path& folder) {
  const Path checkpoints = folder / fmt::format("dry-run-{}", ::getpid());
  const std::vector<Phase> phases = {
      take_steps,
      evaluations(1, false),
      evaluations(passes, false),
      evaluations(1, true),
      evaluations(passes, true),
      [&](BenchRun& run, int64_t job) { run.checkpoint(checkpoints / std::to_string(job)); },
      [](BenchRun& run, int64_t) { run.build(); }};
  const auto clean = [&] { std::filesystem::remove_all(checkpoints); };
  std::vector<double> times;
  try {
    times = Together(what, phases).seconds();
  } catch (...) {
    clean();
    throw;
  }
  clean();
  return {times[0] / steps, times[2] / passes, times[4] / passes, times[5], times[6]};
}

double step_seconds(const TimedTogether& what) {
  return Together(what, {take_steps}).seconds()[0] / steps;
}

}  // namespace absorb
