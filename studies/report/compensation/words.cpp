// What the section says of each measure: how its graph is read and how it was measured. The measures say it themselves.
#include <fmt/format.h>

#include "studies/report/compensation/compensation.h"

namespace absorb::report {

MeasureWords words_for(const std::string& measure) {
  const MeasureInfo& info = measure_info(measure);
  if (!info.definition.empty()) return {info.title.empty() ? measure : info.title, info.reading, info.definition};
  return {measure, info.reading,
          fmt::format("The numbers of {} are in each run's folder, compensation/{}.json.", measure, measure)};
}

std::string unit_of(const std::string& measure) {
  const std::string& unit = measure_info(measure).unit;
  return unit.empty() || unit == "1" || unit == "ratio" ? "" : " " + unit;
}

}  // namespace absorb::report
