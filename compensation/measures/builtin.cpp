// The list of measures: a new one is one header, one source and one line here. Tables and pages keep this order.
#include <algorithm>

#include "compensation/measures/alignment.h"
#include "compensation/measures/co_ablation.h"
#include "compensation/measures/component_graph.h"
#include "compensation/measures/coupling.h"
#include "compensation/measures/curvature.h"
#include "compensation/measures/drift.h"
#include "compensation/measures/first_order.h"
#include "compensation/measures/knock_out.h"
#include "compensation/measures/measures.h"
#include "compensation/measures/recovery_measure.h"
#include "core/error.h"

namespace absorb {

void add_builtin_measures(Measures& measures) {
  add_recovery(measures);
  add_components(measures);
  add_coupling(measures);
  add_curvature(measures);
  add_first_order(measures);
  add_drift(measures);
  add_alignment(measures);
  add_knock_out(measures);
  add_co_ablation(measures);
}

Measures& measures() {
  static Measures all = [] {
    Measures built;
    add_builtin_measures(built);
    return built;
  }();
  return all;
}

std::vector<std::string> measure_names() {
  std::vector<const Measure*> sorted;
  for (const Measure& measure : measures().all()) sorted.push_back(&measure);
  std::ranges::stable_sort(sorted, {}, &Measure::order);
  std::vector<std::string> names;
  for (const Measure* measure : sorted) names.push_back(measure->name());
  return names;
}

const Measure& measure_named(const std::string& name) {
  const Measure* found = measures().find(name);
  require(found != nullptr, "there is no measure \"{}\"; measures: {}", name, join(measure_names()));
  return *found;
}

}  // namespace absorb
