// The parts of the page's section on compensation, one source each. Each returns HTML, or nothing where there is
// nothing to show.
#pragma once

#include <string>
#include <vector>

#include "studies/analysis/compensation/summaries.h"

namespace absorb::report {

/// How a measure is spoken of. Plain text.
struct MeasureWords {
  std::string title;
  std::string reading;     // how to read its graph, one or two sentences
  std::string definition;  // how it is measured
};
/// Of a measure that isn't known: its name, and where its numbers come from.
MeasureWords words_for(const std::string& measure);

/// " nats per token", with a blank before it; empty for numbers without a unit.
std::string unit_of(const std::string& measure);

/// The drawn graphs, one fold a measure, the first one open.
std::string compensation_graphs(const CompensationResults& results);
/// The attribution as bars with intervals, its verdicts, and the numbers.
std::string compensation_attribution(const CompensationResults& results);
/// Recovery over the steps and the dimensions of adaptation.
std::string compensation_curves(const CompensationResults& results);
/// Measures of one component each (drift), as tables.
std::string compensation_components(const CompensationResults& results);
/// Cross-layer share for each router; swap costs and doses.
std::string compensation_tables(const CompensationResults& results);
/// What was asked of the graphs; exploratory questions are marked.
std::string compensation_queries(const CompensationResults& results);
/// "How it was measured": one entry a measure, each with the id "how-<measure>", "how-attribution" and "how-queries".
std::string compensation_how(const CompensationResults& results);

/// `html` with a link to "How it was measured" at the end of its first caption.
std::string anchored(const std::string& html, const std::string& how);
/// Two significant digits: "0.0123" becomes "0.012".
std::string brief(double value);
/// A paragraph, typeset.
std::string paragraph(const std::string& text);
/// <h3> with an id.
std::string subheading(const std::string& id, const std::string& text);

}  // namespace absorb::report
