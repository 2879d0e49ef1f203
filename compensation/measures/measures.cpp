#include "compensation/measures/measures.h"

#include <algorithm>
#include <array>

#include "compensation/measures/component_graph.h"
#include "compensation/measures/coupling.h"
#include "compensation/measures/curvature.h"
#include "compensation/measures/drift.h"
#include "compensation/measures/first_order.h"
#include "compensation/measures/knock_out.h"
#include "compensation/measures/recovery_measure.h"
#include "core/error.h"

namespace absorb {
namespace {

constexpr std::array<std::pair<const char*, MakeMeasurement>, 7> makers = {{
    {"drift", measure_drift},
    {"knock_out", measure_knock_out},
    {"first_order", measure_first_order},
    {"coupling", measure_coupling},
    {"curvature", measure_curvature},
    {"recovery", measure_recovery},
    {"components", measure_components},
}};

}  // namespace

std::vector<std::string> measure_names() {
  std::vector<std::string> names;
  for (const auto& [name, make] : makers) names.emplace_back(name);
  return names;
}

MakeMeasurement measure_named(const std::string& name) {
  const auto* found = std::find_if(makers.begin(), makers.end(), [&](const auto& m) { return name == m.first; });
  require(found != makers.end(), "--measures: there is no measure \"{}\"; measures: {}", name, join(measure_names()));
  return found->second;
}

}  // namespace absorb
