// What a study laid down before its first step, with what came of it: claims, stages, tuning.
#pragma once

#include <string>

#include "studies/analysis/analysis.h"

namespace absorb {

/// Blocks of the table, each with a heading; empty where the study has none of them.
std::string planned_text(const Study& study, const StudyAnalysis& analysis);

}  // namespace absorb
