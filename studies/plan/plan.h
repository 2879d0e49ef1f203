// The runs of a study: every arm x target x axis cell x seed with its resolved settings, folder and identity.
#pragma once

#include <optional>

#include "studies/plan/matching.h"
#include "studies/study/study.h"

namespace absorb {

/// One deployment of one run.
struct DeploymentTask {
  std::string key;  // the deployment's name, or "name.arm" where every arm's routers stand in
  DeploymentSpec spec;
  RunSettings settings;  // of the run whose routers stand in, with the deployment's routing
  Path source;           // folder of that run: this run's own, or another's
  Path moments_run;      // whose moments its routers are rescaled to, or empty
  std::string identity;  // changes with the run, its source and the deployment
  /// Whose gains, or QK^T, label what would have helped (spec.information), and whose moments its routers are rescaled
  /// to; or empty.
  Path label_run = {}, label_moments_run = {};
};

struct RunSpec {
  std::string arm;
  std::map<std::string, std::string> cell;  // axis key -> value as text
  RunSettings settings;
  std::string identity;
  Path folder;       // <runs>/<study>/<arm>.<target>[.<axis labels>]/seed-<n>: studies/plan/folder_names.h
  Path moments_run;  // the finished run whose moments this one needs, or empty
  Path parent_run;   // the finished run whose weights it starts from, or empty
  std::vector<DeploymentTask> deployments;
  std::string name() const { return folder.parent_path().filename().string() + "/" + folder.filename().string(); }
};

struct RunPlan {
  Path folder;  // <runs>/<study>
  std::vector<RunSpec> runs;
  std::vector<Matched> matched;  // one per target and cell
};

/// Resolves everything; UserError on whatever the study file gets wrong. Reads no corpus. Loads the study's plug-ins.
RunPlan plan_runs(const Study& study, const Path& runs);

/// The arms of target both that make the 2 x 2, by which routers are frozen; absent if a corner is missing.
std::optional<TwoByTwo> two_by_two(const RunPlan& plan);

/// Gives every run its deployments, for plan_runs. UserError for one that can't be: routers of another shape, an arm or
/// seed that isn't run there, a selection that a target refuses.
void plan_deployments(const Study& study, RunPlan& plan);

/// UserError with the difference when a run's folder holds other settings than planned.
void refuse_changed_runs(const RunPlan& plan);
/// UserError where the folder holds begun runs of which this plan has none: another study of the same name.
void refuse_another_study(const RunPlan& plan);

/// UserError that names the run or deployment, the site and the setting where a router or selection says that it isn't
/// causal and routing.allow_noncausal doesn't let it.
void refuse_noncausal(const RunPlan& plan);
}  // namespace absorb
