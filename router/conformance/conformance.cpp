#include "router/conformance/conformance.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"
#include "router/conformance/kit.h"

namespace absorb {
namespace {

using namespace conformance;

template <class R>
void check_all(std::vector<Check>& list, const R& registry, const std::string& kind,
               const std::function<bool(const std::string&)>& wanted,
               const std::function<void(const std::string&, Role)>& check_role) {
  for (const std::string& name : registry.names()) {
    if (!wanted(name)) continue;
    Checks settings(list, kind, name, "");
    check_settings(settings, name, registry.fields_of(name),
                   [&registry](const Settings& table) { return registry.resolve(table); });
    for (const Role role : {Role::attention, Role::moe}) check_role(name, role);
  }
}

std::string number(double value) {
  return std::isnan(value) ? "-" : fmt::format("{:.3g}", value);
}

}  // namespace

std::vector<std::string> conformable(const Registries& registries) {
  std::set<std::string> names;
  for (const auto& list : {registries.routers.names(), registries.selections.names(), registries.losses.names()})
    names.insert(list.begin(), list.end());
  return {names.begin(), names.end()};
}

void require_conformable(const Registries& registries, const std::string& name) {
  const std::vector<std::string> known = conformable(registries);
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  const std::string near = nearest(name, known);
  user_error("there is no router, selection or routing loss \"{}\"{}; known: {}", name,
             near.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", near), join(known));
}

std::vector<Check> conform(const Registries& registries, const std::vector<std::string>& names, at::Device device) {
  for (const std::string& name : names) require_conformable(registries, name);
  const auto wanted = [&](const std::string& name) {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
  };
  std::vector<Check> list;
  check_all(list, registries.routers, "router", wanted,
            [&](const std::string& name, Role role) { check_router(list, registries, name, role, device); });
  check_all(list, registries.selections, "selection", wanted,
            [&](const std::string& name, Role role) { check_selection(list, registries, name, role, device); });
  check_all(list, registries.losses, "loss", wanted,
            [&](const std::string& name, Role role) { check_loss(list, registries, name, role, device); });
  return list;
}

std::string to_string(const Check& check) {
  return fmt::format("{:<9}  {:<25}  {:>8} <= {:<5}  {:<6}  {}", check.role, check.name, number(check.measured),
                     number(check.bound), check.passed ? "ok" : "FAILED", check.note);
}

}  // namespace absorb
