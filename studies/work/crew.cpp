#include "studies/work/crew.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <thread>

#include "core/error.h"
#include "studies/folder/paths.h"
#include "studies/run/deployment.h"
#include "studies/run/interrupt.h"
#include "studies/work/processes.h"
#include "training/step_graph.h"

namespace absorb {
namespace {

// Whether the runs that this one takes weights or moments from let it start; if one of them failed, so does this one.
bool is_ready(const RunSpec& run) {
  for (const auto& [needed, what] : {std::pair{run.parent_run, "weights"}, std::pair{run.moments_run, "moments"}}) {
    if (needed.empty() || is_done(needed)) continue;
    if (std::filesystem::exists(needed / "FAILED")) {
      make_folder(run.folder);
      write_file(run.folder / "FAILED", fmt::format("the run whose {} it needs failed\n", what));
    }
    return false;
  }
  return true;
}

std::string described(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const c10::Error& e) {
    return e.what_without_backtrace();
  } catch (const std::exception& e) {
    return e.what();
  }
}

const char* to_string(RunEnd end) {
  switch (end) {
    case RunEnd::done:
      return "is done";
    case RunEnd::failed:
      return "failed";
    case RunEnd::interrupted:
      return "is interrupted";
  }
  return "";
}

}  // namespace

int64_t closed_runs(const RunPlan& plan) {
  return std::count_if(plan.runs.begin(), plan.runs.end(), is_closed);
}

ActiveRun deploying(const RunSpec& run) {
  return {fmt::format("{}: {} deployments to go", run.name(), open_deployments(run).size())};
}

bool share_switches(const RunPlan& plan) {
  const TrainingSettings* first = nullptr;
  for (const RunSpec& run : plan.runs) {
    if (is_closed(run) && open_deployments(run).empty()) continue;
    const TrainingSettings& t = run.settings.training;
    if (first == nullptr) first = &t;
    if (t.threads != first->threads || t.tf32 != first->tf32) return false;
  }
  return true;
}

Crew::Crew(const RunPlan& plan, const WorkOptions& options, Execute execute)
    : plan_(plan), options_(options), execute_(std::move(execute)) {
  if (!options.worker) display_.emplace(static_cast<int64_t>(plan.runs.size()), closed_runs(plan));
}

void Crew::work(int64_t workers) {
  size_ = workers_ = workers;
  if (size_ == 1) {
    work_as(0);
  } else {
    std::vector<std::jthread> threads;
    for (int64_t worker = 0; worker < size_; ++worker)
      threads.emplace_back([this, worker] {
        try {
          work_as(worker);
        } catch (...) {
          note_error();
        }
      });
  }
  if (first_error_) std::rethrow_exception(first_error_);
}

void Crew::work_as(int64_t worker) {
  const StreamScope stream(options_.device);  // one for all its runs: LibTorch keeps the memory of each stream apart
  while (!interrupted()) {
    Look look = train_one(worker);
    if (look == Look::found_nothing) look = deploy_one(worker);
    if (look == Look::leaves || (look == Look::found_nothing && is_over())) return;
    // What is open is held by a live worker, or waits for another run; a dead one's claim can be taken.
    if (look == Look::found_nothing) pause_between_looks();
  }
}

Crew::Look Crew::train_one(int64_t worker) {
  for (const RunSpec& run : plan_.runs) {
    if (interrupted()) break;
    if (is_closed(run) || is_abandoned(run) || !is_ready(run)) continue;
    std::optional<Claim> claim = Claim::take(run.folder);
    if (!claim || is_closed(run)) continue;
    return attempt(worker, run, [&] {
      const bool begun = std::filesystem::exists(run.folder / "checkpoints");
      options_.log.info(fmt::format("{} {}", run.name(), begun ? "goes on from its newest checkpoint" : "starts"));
      const RunEnd end = execute_(run, *claim, runner_options(worker));
      options_.log.info(fmt::format("{} {}", run.name(), to_string(end)));
    });
  }
  return Look::found_nothing;
}

// Deployments come when no run can be trained now.
Crew::Look Crew::deploy_one(int64_t worker) {
  for (const RunSpec& run : plan_.runs) {
    if (interrupted()) break;
    if (is_abandoned(run) || open_deployments(run).empty()) continue;
    std::optional<Claim> claim = Claim::take(run.folder);
    if (!claim || open_deployments(run).empty()) continue;
    show(worker, deploying(run));
    return attempt(worker, run, [&] {
      options_.log.info(deploying(run).name);
      deploy_all(run, options_.device);
      options_.log.info(fmt::format("{} is deployed", run.name()));
    });
  }
  return Look::found_nothing;
}

Crew::Look Crew::attempt(int64_t worker, const RunSpec& run, const std::function<void()>& task) {
  bool last = false;  // of the crew
  {
    const std::lock_guard lock(mutex_);
    ++busy_;
    last = workers_ == 1;
  }
  Look look = Look::worked;
  try {
    task();
  } catch (const c10::OutOfMemoryError&) {
    // One that has become the last meanwhile tries again, with the memory to itself.
    if (leave(run))
      look = Look::leaves;
    else if (last)
      abandon(run);
  } catch (...) {
    abandon(run);
  }
  const std::lock_guard lock(mutex_);
  --busy_;
  active_.erase(worker);
  return look;
}

// One worker fewer, unless this is the last.
bool Crew::leave(const RunSpec& run) {
  const std::lock_guard lock(mutex_);
  if (workers_ == 1) return false;
  --workers_;
  say(fmt::format("{}: the GPU's memory doesn't hold {} runs at a time; {} {} on", run.name(), workers_ + 1, workers_,
                  workers_ == 1 ? "goes" : "go"));
  return true;
}

// Of a crew of one the error is everybody's.
void Crew::abandon(const RunSpec& run) {
  if (size_ == 1) {
    options_.log.warning(fmt::format("{} is given up: {}", run.name(), described(std::current_exception())));
    throw;
  }
  note_error();
  const std::lock_guard lock(mutex_);
  abandoned_.insert(run.folder);
  say(fmt::format("{} is given up, the others go on: {}", run.name(), described(std::current_exception())));
}

void Crew::note_error() {
  const std::lock_guard lock(mutex_);
  if (!first_error_) first_error_ = std::current_exception();
}

bool Crew::is_abandoned(const RunSpec& run) {
  const std::lock_guard lock(mutex_);
  return abandoned_.contains(run.folder);
}

// Called by a worker that found nothing to do.
bool Crew::is_over() {
  if (closed_runs(plan_) == static_cast<int64_t>(plan_.runs.size()) &&
      std::all_of(plan_.runs.begin(), plan_.runs.end(),
                  [](const RunSpec& run) { return open_deployments(run).empty(); }))
    return true;
  const std::lock_guard lock(mutex_);
  return first_error_ && busy_ == 0;  // what is open may wait for an abandoned run
}

RunnerOptions Crew::runner_options(int64_t worker) {
  RunnerOptions runner;
  runner.device = options_.device;
  runner.argv = options_.argv;
  runner.top_k = options_.top_k;
  runner.fused = options_.fused;
  runner.jobs = size_;
  runner.explain_memory = options_.explain_memory;
  runner.shares_memory = [this] {
    const std::lock_guard lock(mutex_);
    return workers_ > 1;
  };
  runner.say = [this](const std::string& line) {
    const std::lock_guard lock(mutex_);
    say(line);
  };
  runner.progress = [this, worker](const RunSpec& run, const Progress& p) {
    show(worker, {run.name(), p.step, p.steps, p.loss, p.tokens_per_second, p.seconds_left});
  };
  return runner;
}

void Crew::show(int64_t worker, const ActiveRun& active) {
  if (options_.worker) return;
  const int64_t closed = closed_runs(plan_);
  const std::lock_guard lock(mutex_);
  active_[worker] = active;
  std::vector<ActiveRun> all;
  for (const auto& [other, run] : active_) all.push_back(run);
  display_->update(all, closed);
}

// The caller holds the lock.
void Crew::say(const std::string& line) {
  options_.log.warning(line);
  if (display_)
    display_->say(line);
  else
    std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace absorb
