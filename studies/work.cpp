#include "studies/work.h"

#include "core/error.h"
#include "studies/deploy_task.h"
#include "studies/display.h"
#include "studies/interrupt.h"
#include "studies/processes.h"

namespace absorb {
namespace {

int64_t closed_runs(const RunPlan& plan) {
  return std::count_if(plan.runs.begin(), plan.runs.end(), is_closed);
}

WorkResult tally(const RunPlan& plan) {
  WorkResult result;
  for (const RunSpec& run : plan.runs) {
    if (std::filesystem::exists(run.folder / "DONE"))
      ++result.done;
    else if (std::filesystem::exists(run.folder / "FAILED"))
      ++result.failed;
    else
      ++result.open;
  }
  result.interrupted = interrupted();
  return result;
}

// Whether the runs that this one takes weights or moments from let it start; if one of them failed, so does this one.
bool is_ready(const RunSpec& run) {
  for (const auto& [needed, what] : {std::pair{run.parent_run, "weights"}, std::pair{run.moments_run, "moments"}}) {
    if (needed.empty() || std::filesystem::exists(needed / "DONE")) continue;
    if (std::filesystem::exists(needed / "FAILED")) {
      std::filesystem::create_directories(run.folder);
      write_file(run.folder / "FAILED", fmt::format("the run whose {} it needs failed\n", what));
    }
    return false;
  }
  return true;
}

ActiveRun deploying(const RunSpec& run) {
  return {fmt::format("{}: {} deployments to go", run.name(), open_deployments(run).size())};
}

class Worker {
 public:
  Worker(const RunPlan& plan, const WorkOptions& options) : plan_(plan) {
    if (!options.worker) display_.emplace(static_cast<int64_t>(plan.runs.size()), closed_runs(plan));
    runner_.device = options.device;
    runner_.argv = options.argv;
    runner_.top_k = options.top_k;
    runner_.fused = options.fused;
    runner_.say = [this](const std::string& line) {
      if (display_)
        display_->say(line);
      else
        std::fprintf(stderr, "%s\n", line.c_str());
    };
    runner_.progress = [this](const RunSpec& run, const Progress& p) {
      if (display_)
        display_->update({{run.name(), p.step, p.steps, p.loss, p.tokens_per_second, p.seconds_left}},
                         closed_runs(plan_));
    };
  }

  void run() {
    while (!interrupted()) {
      const bool worked = one_round() || deploy_round();
      if (worked) continue;
      if (closed_runs(plan_) == static_cast<int64_t>(plan_.runs.size()) && !waits_for_deployments()) return;
      pause_between_looks();  // what is open is held by a live worker, or waits for another run; a dead one's claim can
                              // be taken
    }
  }

 private:
  bool one_round() {
    bool worked = false;
    for (const RunSpec& run : plan_.runs) {
      if (interrupted()) return worked;
      if (is_closed(run) || !is_ready(run)) continue;
      std::optional<Claim> claim = Claim::take(run.folder);
      if (!claim || is_closed(run)) continue;
      worked = true;
      if (execute(run, *claim, runner_) == RunEnd::interrupted) return worked;
    }
    return worked;
  }

  // Deployments come when no run can be trained now.
  bool deploy_round() {
    for (const RunSpec& run : plan_.runs) {
      if (interrupted()) return false;
      if (open_deployments(run).empty()) continue;
      std::optional<Claim> claim = Claim::take(run.folder);
      if (!claim || open_deployments(run).empty()) continue;
      if (display_) display_->update({deploying(run)}, closed_runs(plan_));
      deploy_all(run, runner_.device);
      return true;
    }
    return false;
  }
  bool waits_for_deployments() const {
    return std::any_of(plan_.runs.begin(), plan_.runs.end(),
                       [](const RunSpec& run) { return !open_deployments(run).empty(); });
  }

  const RunPlan& plan_;
  std::optional<Display> display_;
  RunnerOptions runner_;
};

std::vector<ActiveRun> active_runs(const RunPlan& plan) {
  std::vector<ActiveRun> active;
  for (const RunSpec& run : plan.runs) {
    const bool closed = is_closed(run);
    if (closed && open_deployments(run).empty()) continue;
    const auto claim = live_claim(run.folder);
    if (!claim) continue;
    if (closed) {
      active.push_back(deploying(run));
      continue;
    }
    const Json p = claim->value("progress", Json::object());
    active.push_back({run.name(), p.value("step", int64_t{0}), p.value("steps", int64_t{0}), p.value("loss", 0.0),
                      p.value("tokens_per_sec", 0.0), p.value("seconds_left", 0.0)});
  }
  return active;
}

// Worker processes train; this one shows how far they are and passes signals on.
void supervise(const RunPlan& plan, const WorkOptions& options) {
  const int64_t closed = closed_runs(plan), total = static_cast<int64_t>(plan.runs.size());
  Display display(total, closed);
  const int64_t undeployed = std::count_if(plan.runs.begin(), plan.runs.end(),
                                           [](const RunSpec& run) { return !open_deployments(run).empty(); });
  run_workers(options.worker_argv, std::min(options.jobs, total - closed + undeployed),
              [&] { display.update(active_runs(plan), closed_runs(plan)); });
}

}  // namespace

WorkResult work(const RunPlan& plan, const WorkOptions& options) {
  catch_interrupts(options.worker);
  if (options.jobs > 1 && !options.worker)
    supervise(plan, options);
  else
    Worker(plan, options).run();
  return tally(plan);
}

}  // namespace absorb
