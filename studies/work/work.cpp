#include "studies/work/work.h"

#include <algorithm>
#include <cmath>

#include "studies/folder/paths.h"
#include "studies/run/deployment.h"
#include "studies/run/interrupt.h"
#include "studies/work/crew.h"
#include "studies/work/processes.h"

namespace absorb {
namespace {

WorkResult tally(const RunPlan& plan) {
  WorkResult result;
  for (const RunSpec& run : plan.runs) {
    if (is_done(run.folder))
      ++result.done;
    else if (std::filesystem::exists(run.folder / "FAILED"))
      ++result.failed;
    else
      ++result.open;
    result.undeployed += open_deployments(run).empty() ? 0 : 1;
  }
  result.interrupted = interrupted();
  return result;
}

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
    const ClaimProgress& p = claim->progress;
    active.push_back(
        {run.name(), p.step, p.steps, std::isfinite(p.loss) ? p.loss : 0, p.tokens_per_sec, p.seconds_left});
  }
  return active;
}

// Runs that need training or deploying.
int64_t unfinished_runs(const RunPlan& plan) {
  return std::count_if(plan.runs.begin(), plan.runs.end(),
                       [](const RunSpec& run) { return !is_closed(run) || !open_deployments(run).empty(); });
}

// Worker processes train; this one shows how far they are, says when one dies, and passes signals on.
int supervise(const RunPlan& plan, const WorkOptions& options) {
  Display display(static_cast<int64_t>(plan.runs.size()), closed_runs(plan));
  const auto say_death = [&](const WorkerEnd& end) {
    if (!died(end)) return;
    display.say("absorb: " + to_string(end));
    options.log.warning(to_string(end));
  };
  return status_of(run_workers(
      options.worker_argv, std::min(options.jobs, unfinished_runs(plan)),
      [&] { display.update(active_runs(plan), closed_runs(plan)); }, say_death));
}

void work_on_threads(const RunPlan& plan, const WorkOptions& options) {
  const bool together = share_switches(plan);
  if (!together) {
    const char* why =
        "one run at a time: runs differ in training.threads or training.tf32, which hold for a whole process";
    std::fprintf(stderr, "%s\n", why);
    options.log.warning(why);
  }
  Crew(plan, options).work(together ? std::clamp<int64_t>(unfinished_runs(plan), 1, options.jobs) : 1);
}

}  // namespace

WorkResult work(const RunPlan& plan, const WorkOptions& options) {
  catch_interrupts(options.worker);
  int worker_status = 0;
  if (options.worker || options.jobs == 1)
    Crew(plan, options).work(1);
  else if (options.threads)
    work_on_threads(plan, options);
  else
    worker_status = supervise(plan, options);
  WorkResult result = tally(plan);
  result.worker_status = worker_status;
  return result;
}

}  // namespace absorb
