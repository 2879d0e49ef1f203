// Evaluating a study's [[deployment]]s: trained weights under other routings, which train nothing and change no weight.
// Each result stands in the run's folder as deployments/<key>.json, with the loss of every document beside it.
#pragma once

#include "studies/plan/plan.h"

namespace absorb {

/// Whether `task` of `run` has been evaluated as it stands now.
bool is_deployed(const RunSpec& run, const DeploymentTask& task);
/// Deployments of a finished run that could be evaluated now: not deployed, and the run they take routers from is done.
std::vector<const DeploymentTask*> open_deployments(const RunSpec& run);
/// Evaluates them all; the caller has claimed the run.
void deploy_all(const RunSpec& run, at::Device device);

}  // namespace absorb
