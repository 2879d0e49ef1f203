#include "core/error.h"
#include "studies/plan/plan.h"
#include "training/data/vocabulary.h"

namespace absorb {
namespace {

void refuse(const RunSettings& run, const std::string& who) {
  for (const auto& [site, route] : counted_routes(run, stated_vocabulary(run.data)).at) {
    const RoutingSettings& routing = route->settings();
    if (routing.allow_noncausal || route->causal()) continue;
    const std::string kind = route->task().attention() ? "attention" : "moe";
    user_error(
        "{}: {}: router \"{}\" with selection \"{}\" isn't causal: later tokens decide how earlier ones are routed; if "
        "it is meant, set routing.{}.allow_noncausal = true, which tables and pages will say",
        who, site, routing.router.type, routing.selection.type, kind);
  }
}

}  // namespace

void refuse_noncausal(const RunPlan& plan) {
  for (const RunSpec& run : plan.runs) {
    if (run.settings.target != "dense") refuse(run.settings, run.name());
    for (const DeploymentTask& task : run.deployments)
      refuse(task.settings, fmt::format("{}: deployment \"{}\"", run.name(), task.key));
  }
}

}  // namespace absorb
