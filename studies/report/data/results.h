// The files that an analysis leaves in a study's folder, for people, pandas and R: results.json, runs.csv, evals.csv,
// contrasts.csv, deployments.csv and report.html. Each is written whole or not at all. What does not exist is null, or
// an empty cell.
#pragma once

#include "studies/report/study_report.h"

namespace absorb {

/// {study, arms[], runs[], contrasts[], severity[], concentration[]}; docs/studies.md names the fields. Losses in nats
/// per token.
Json results_json(const Study& study, const std::vector<RunRecord>& records, const StudyAnalysis& analysis);

/// {arm, cell, attributions[], routers[], notes[]} of one arm.
Json compensation_json(const CompensationResults& compensation);

/// One row a run.
std::string runs_csv(const std::vector<RunRecord>& records);
/// One row a run and evaluation: those made while training (phase "training", over the first evaluation_tokens) and,
/// for each deployment, the last one (phase "final", over the whole valid text).
std::string evals_csv(const std::vector<RunRecord>& records);
/// One row a contrast, target and cell.
std::string contrasts_csv(const StudyAnalysis& analysis);

/// One row a run, deployment, loop and kind of routing.
std::string deployments_csv(const std::vector<RunRecord>& records);

/// Writes all six into `folder`, and compensation.csv (every edge) where something was measured. UserError when it
/// can't be written.
void write_results(const Path& folder, const StudyReport& report);

}  // namespace absorb
