#include <iostream>

#include "core/device.h"
#include "core/error.h"
#include "studies/command/commands.h"
#include "studies/command/summary.h"
#include "studies/folder/claim.h"
#include "studies/run/deployment.h"
#include "studies/run/runner.h"

namespace absorb {

int deploy_command(const DeployOptions& options) {
  const Study study = read_study(options.study, options.sets);
  const RunPlan plan = plan_runs(study, options.runs);
  require(!study.deployments.empty(), "{}: has no [[deployment]]", options.study.string());
  refuse_changed_runs(plan);
  refuse_noncausal(plan);
  const at::Device device = find_device(options.device);
  for (const RunSpec& run : plan.runs)
    require(run.deployments.empty() || is_closed(run), "{}: isn't finished: `absorb run {}` finishes it first",
            run.folder.string(), options.study.string());
  int64_t evaluated = 0;
  for (const RunSpec& run : plan.runs) {
    const auto open = static_cast<int64_t>(open_deployments(run).size());
    if (open == 0) continue;
    const std::optional<Claim> claim = Claim::take(run.folder);
    if (!claim) continue;  // another worker is at it
    std::cerr << fmt::format("{}: {} deployments\n", run.name(), open);
    deploy_all(run, device);
    evaluated += open;
  }
  write_study(study, plan.folder);
  write_plan(plan.folder, plan_record(study, plan));
  std::cout << fmt::format("{} deployments evaluated\n", evaluated) << summarise(plan.folder);
  return exit_done;
}

}  // namespace absorb
