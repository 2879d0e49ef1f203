#include "studies/plan/plan_record.h"

namespace absorb {
namespace {

PlannedRun planned(const RunSpec& run, const Path& study) {
  const auto relative = [&study](const Path& folder) {
    return folder.empty() ? std::string() : folder.lexically_relative(study).generic_string();
  };
  PlannedRun out{run.arm,
                 run.settings.target,
                 run.cell,
                 run.settings.seed,
                 relative(run.folder),
                 run.identity,
                 relative(run.parent_run),
                 relative(run.moments_run),
                 {}};
  for (const DeploymentTask& task : run.deployments) out.deployments.push_back({task.key, task.identity});
  return out;
}

}  // namespace

PlanRecord plan_record(const Study& study, const RunPlan& plan) {
  PlanRecord out;
  for (const RunSpec& run : plan.runs) out.runs.push_back(planned(run, plan.folder));
  out.corners = two_by_two(plan).value_or(TwoByTwo{});
  out.methods = methods_words(study.base);
  return out;
}

}  // namespace absorb
