// The rows that analyse() is made of, one source each.
#pragma once

#include <functional>

#include "statistics/staged.h"
#include "studies/analysis/analysis.h"
#include "studies/analysis/groups.h"

namespace absorb {

/// From the concentration of that cell, or from one without a cell (a dense arm that no axis touches).
Masks masks_in(const std::vector<Concentration>& concentration, const Cell& cell);
/// "different" becomes "undecided (masks do not matter here)" where they don't; what is undecided stays as it is.
std::string with_masks(const std::string& verdict, Masks masks);

/// The p to hold against 0.05, which in a plan in stages is the staged one (statistics/staged.h).
double judged_p(const Study& study, double p, StagedTest test, int64_t n);
/// Every contrast in every target and cell that has both of its arms, adjusted and judged.
std::vector<ContrastResult> make_contrasts(const Study& study, const std::vector<RunGroup>& groups,
                                           const std::vector<std::string>& locked,
                                           const std::vector<Concentration>& concentration);
/// Every deployment of every group, in the order of the groups.
std::vector<DeploymentSummary> summarise_deployments(const std::vector<RunGroup>& groups);
/// Slopes along every axis whose cells can be put in order: for contrasts that stand in at least two of its cells.
std::vector<DoseResult> make_doses(const Study& study, const std::vector<RunGroup>& groups,
                                   const std::vector<ContrastResult>& contrasts);
/// Every claim, by the row that it names.
std::vector<ClaimResult> make_claims(const Study& study, const StudyAnalysis& analysis,
                                     const std::vector<std::string>& locked);
/// The analysis with the verdicts of a plan in stages: `at(n)` analyses what the first n seeds left.
void judge_in_stages(const Study& study, StudyAnalysis& analysis, const std::function<StudyAnalysis(int64_t n)>& at);
/// Between the twins, and within target both.
std::vector<SeverityResult> make_severity(const Study& study, const std::vector<RunGroup>& groups,
                                          const StudyAnalysis& analysis, const std::optional<TwoByTwo>& both);

}  // namespace absorb
