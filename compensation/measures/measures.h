// Every measure by name.
#pragma once

#include <string>
#include <vector>

#include "compensation/measures/measurement.h"

namespace absorb {

using MakeMeasurement = Measurement (*)(Subject&, const CompensationSettings&, const MeasureContext&);

/// Names of all measures, in the order in which they are made: cheap ones first.
std::vector<std::string> measure_names();
/// UserError with the names where there is none.
MakeMeasurement measure_named(const std::string& name);

}  // namespace absorb
