#include <iostream>

#include "core/device.h"
#include "core/error.h"
#include "studies/command/commands.h"
#include "studies/command/summary.h"
#include "studies/folder/claim.h"
#include "studies/folder/study_log.h"
#include "studies/run/deployment.h"
#include "studies/run/runner.h"

namespace absorb {

int deploy_command(const DeployOptions& options) {
  const Study study = tuned(read_study(options.study, options.sets), options.runs);
  const RunPlan plan = plan_runs(study, options.runs);
  require(!study.deployments.empty(), "{}: has no [[deployment]]", options.study.string());
  refuse_changed_runs(plan);
  refuse_noncausal(plan);
  const at::Device device = find_device(options.device);
  for (const RunSpec& run : plan.runs)
    require(run.deployments.empty() || is_closed(run), "{}: isn't finished: `absorb run {}` finishes it first",
            run.folder.string(), options.study.string());
  require_weights_for_open(plan);
  const StudyLog log(plan.folder);
  int64_t evaluated = 0;
  for (const RunSpec& run : plan.runs) {
    const auto open = static_cast<int64_t>(open_deployments(run).size());
    if (open == 0) continue;
    const std::optional<Claim> claim = Claim::take(run.folder);
    if (!claim) {
      std::cerr << fmt::format("{}: left to the worker that is at it\n", run.name());
      continue;
    }
    std::cerr << fmt::format("{}: {} deployment{}\n", run.name(), open, open == 1 ? "" : "s");
    log.info(fmt::format("{}: {} deployment{} to go", run.name(), open, open == 1 ? "" : "s"));
    deploy_all(run, device);
    log.info(fmt::format("{} is deployed", run.name()));
    evaluated += open;
  }
  write_study(study, plan.folder);
  write_plan(plan.folder, plan_record(study, plan));
  std::cout << fmt::format("{} deployment{} evaluated\n", evaluated, evaluated == 1 ? "" : "s")
            << summarise(plan.folder);
  return exit_done;
}

}  // namespace absorb
