#include "studies/study/noncausal.h"

#include "core/error.h"

namespace absorb {
namespace {

constexpr const char* key = "allow_noncausal";

bool says_yes(const Settings& table) {
  return table.has(key) && table.value()[key].is_boolean() && table.value()[key].get<bool>();
}

// Whether [routing], with what stands for one kind laid on, allows it.
bool allowed(const Settings& routing, const std::string& kind) {
  const Settings own = routing.table(kind);
  return own.has(key) ? says_yes(own) : says_yes(routing);
}

bool routes(const std::vector<std::string>& targets, const std::string& kind) {
  return std::any_of(targets.begin(), targets.end(),
                     [&](const std::string& target) { return target == kind || target == "both"; });
}

// " (attention)", " (experts)", " (attention, experts)" or nothing.
std::string kinds(const Settings& routing, const std::vector<std::string>& targets) {
  std::vector<std::string> found;
  if (routes(targets, "attention") && allowed(routing, "attention")) found.emplace_back("attention");
  if (routes(targets, "moe") && allowed(routing, "moe")) found.emplace_back("experts");
  return found.empty() ? "" : " (" + join(found) + ")";
}

}  // namespace

std::string noncausal_note(const Study& study) {
  std::vector<std::string> found;
  const auto add = [&](const std::string& what, const Settings& routing, const std::vector<std::string>& targets) {
    const std::string where = kinds(routing, targets.empty() ? study.settings.targets : targets);
    if (!where.empty()) found.push_back(what + where);
  };
  for (const ArmSpec& arm : study.arms) {
    Settings all = study.base;
    all.merge(arm.overrides);
    all.merge(study.last);
    add("arm " + arm.name, all.table("routing"), arm.targets);
  }
  for (const DeploymentSpec& deployment : study.deployments)
    add("deployment " + deployment.name, deployment.routing, deployment.targets);
  if (found.empty()) return "";
  return "not causal: " + join(found) +
         ". There later tokens may decide how earlier ones are routed, so that a loss knows some of its future: "
         "compare "
         "such losses among each other alone.";
}

}  // namespace absorb
