// Working through a study: in this process, on one thread or several, or in several processes that share the runs by
// claiming them.
#pragma once

#include "studies/folder/study_log.h"
#include "studies/run/runner.h"

namespace absorb {

struct WorkOptions {
  at::Device device = at::kCPU;
  int64_t jobs = 1;                      // runs at a time
  bool threads = false;                  // on threads of this process, as suits a GPU; else in processes
  bool worker = false;                   // one of several: silent, its parent shows progress
  std::vector<std::string> argv;         // for provenance
  std::vector<std::string> worker_argv;  // command line of one worker process
  int64_t top_k = 0;
  bool fused = true;                                                                // kernels where there are some
  std::function<void(const RunSettings&, int64_t vocabulary)> explain_memory = {};  // RunnerOptions'
  StudyLog log = {};
};

struct WorkResult {
  int64_t done = 0, failed = 0, open = 0;  // over the whole plan, afterwards
  int64_t undeployed = 0;                  // finished runs with deployments that could be evaluated
  bool interrupted = false;
  int worker_status = 0;  // of the worker processes that died: status_of()
};

/// Finishes every open run of the plan, waiting for those that live workers hold elsewhere.
WorkResult work(const RunPlan& plan, const WorkOptions& options);

}  // namespace absorb
