// The table that a study prints on the terminal: plain ASCII within 100 columns, units named in every heading.
#pragma once

#include <string>
#include <vector>

#include "studies/analysis/analysis.h"

namespace absorb {

inline constexpr size_t table_width = 100;

/// Arms, contrasts (tests, then swap cost, R and verdict), severity, the concentration line, and runs that failed.
std::string print_table(const Study& study, const std::vector<RunRecord>& records, const StudyAnalysis& analysis);

}  // namespace absorb
