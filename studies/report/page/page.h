// report.html: one page that holds everything a reader needs to judge a study. It asks for nothing over the network;
// figures are inline SVG. The one script, which comes with compensation alone, hides and shows edges of a drawn graph;
// the page's own policy forbids any other.
#pragma once

#include "studies/report/study_report.h"

namespace absorb {

/// The whole page, at most 5 MB for studies of up to hundreds of runs.
std::string report_page(const StudyReport& report);

}  // namespace absorb
