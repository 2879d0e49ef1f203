// The workers of this process: each takes a run that nobody has, trains it and looks for the next one. On a GPU several
// of them work on threads, every one on a stream of its own, since processes would only take turns on it; on a CPU
// there is one, and processes share the study (studies/work/work.h).
//
// What they share: LibTorch's switches (share_switches()), autograd's thread (training/step_graph.h), the GPU's memory.
// When that runs out beside others, the run is put back with its newest checkpoint and one worker fewer goes on; only a
// run that has the GPU to itself is told what would fit. Any other error abandons that run and the others go on.
#pragma once

#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "studies/work/display.h"
#include "studies/work/work.h"

namespace absorb {

/// Whether the open runs agree in what holds for a whole process: CPU threads and TF32.
bool share_switches(const RunPlan& plan);

class Crew {
 public:
  /// `execute`: what is done to a run.
  using Execute = std::function<RunEnd(const RunSpec&, Claim&, const RunnerOptions&)>;
  Crew(const RunPlan& plan, const WorkOptions& options, Execute execute = absorb::execute);
  /// Works until every run of the plan is closed and deployed, or an interrupt. Throws what the first abandoned run
  /// threw once the others are done; of a single worker at once.
  void work(int64_t workers);

 private:
  enum class Look { found_nothing, worked, leaves };
  void work_as(int64_t worker);
  Look train_one(int64_t worker);
  Look deploy_one(int64_t worker);
  Look attempt(int64_t worker, const RunSpec& run, const std::function<void()>& task);
  bool leave(const RunSpec& run);
  void abandon(const RunSpec& run);
  void note_error();
  bool is_over();
  bool is_abandoned(const RunSpec& run);
  RunnerOptions runner_options(int64_t worker);
  void show(int64_t worker, const ActiveRun& active);
  void say(const std::string& line);

  const RunPlan& plan_;
  const WorkOptions& options_;
  Execute execute_;
  int64_t size_ = 1;  // workers at the start
  std::mutex mutex_;  // of all below
  std::optional<Display> display_;
  std::map<int64_t, ActiveRun> active_;  // by worker
  std::set<Path> abandoned_;
  std::exception_ptr first_error_;
  int64_t workers_ = 0, busy_ = 0;  // that go on, and that are at a run now
};

/// Runs of the plan that DONE or FAILED closes.
int64_t closed_runs(const RunPlan& plan);
/// What a display shows of a finished run whose deployments are evaluated.
ActiveRun deploying(const RunSpec& run);

}  // namespace absorb
