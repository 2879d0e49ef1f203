// What finished runs were evaluated under, with its agreement and its information.
#pragma once

#include <string>

#include "studies/analysis/analysis.h"

namespace absorb {

/// Blocks of the table; empty where the study has no [[deployment]].
std::string deployments_text(const StudyAnalysis& analysis);

}  // namespace absorb
