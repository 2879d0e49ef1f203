// The parts of report.html, one source each. Each returns HTML, or nothing where the study has nothing to show there.
#pragma once

#include <string>
#include <vector>

#include "studies/analysis/analysis.h"
#include "studies/analysis/compensation/results.h"
#include "studies/analysis/groups.h"

namespace absorb::report {

/// One page's material.
struct Material {
  const Study& study;
  const MethodsWords& methods;
  const std::vector<RunRecord>& records;
  const StudyAnalysis& analysis;
  const std::vector<RunGroup>& groups;
  const CompensationResults& compensation;
};

// tables.cpp, tables_runs.cpp
std::string contrast_tables(const Material& material);
std::string absorption_table(const Material& material);
std::string severity_table(const Material& material);
std::string arm_table(const Material& material);
std::string confound_table(const Material& material);
std::string health_table(const Material& material);
std::string run_table(const Material& material);
/// Routing information of deployments; empty where none was measured.
std::string information_table(const Material& material);
/// The concentration line, one paragraph a cell.
std::string concentration(const Material& material);

// Figures
std::string forest(const Material& material);            // forest.cpp: gaps in nats
std::string curves(const Material& material);            // curves.cpp: valid loss against tokens
std::string swap_against_gap(const Material& material);  // scatter.cpp
/// deployments.cpp: costs as a dot plot and a table; folded away where they are many.
std::string deployment_costs(const Material& material);
std::string transplants(const Material& material);        // transplants.cpp: a heat map a target and cell
std::string hardening(const Material& material);          // hardening.cpp: cost of the first r layers
std::string doses(const Material& material);              // doses.cpp: gap and R against an axis, with the slopes
std::string gradient_accounts(const Material& material);  // accounts.cpp

/// compensation*.cpp: who makes up for a disturbed router, drawn and in numbers
std::string compensation(const Material& material);

// methods.cpp, provenance.cpp
std::string methods(const Material& material);
std::string provenance_table(const Material& material);

/// The class of an arm's colour and dash ("arm-0" ... "arm-7"), the same in every figure: dense is 7, others take the
/// place that they have in the study. The eighth to fourteenth have a thinner line ("arm-0 again").
std::string arm_class(const Study& study, const std::string& arm);
/// "decided", "tie", "open": how a verdict is coloured.
std::string verdict_class(const std::string& verdict);

}  // namespace absorb::report
