// Numbers of a run that follow from its records: they stand in results.json and runs.csv beside what the records hold.
#pragma once

#include "studies/folder/record.h"

namespace absorb {

struct DerivedNumber {
  const char* name;
  const char* after;  // the column of runs.csv that it follows
  double (*of)(const RunRecord&);
};
const std::vector<DerivedNumber>& derived_numbers();

}  // namespace absorb
