// report.html: one page that holds everything a reader needs to judge a study. It asks for nothing over the network and
// runs no script; figures are inline SVG.
#pragma once

#include <string>
#include <vector>

#include "studies/analysis.h"

namespace absorb {

/// The whole page, at most 5 MB for studies of up to hundreds of runs.
std::string report_page(const Study& study, const std::vector<RunRecord>& records, const StudyAnalysis& analysis);

}  // namespace absorb
