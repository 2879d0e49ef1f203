// Every measure by name; the registry itself is in compensation/graph/measure_info.h.
#pragma once

#include <string>
#include <vector>

#include "compensation/measures/measurement.h"

namespace absorb {

/// Every built-in measure: one line for each.
void add_builtin_measures(Measures& measures);

/// Names of all measures, in the order in which they are made: cheap ones first.
std::vector<std::string> measure_names();
/// UserError with the names where there is none.
const Measure& measure_named(const std::string& name);

}  // namespace absorb
