// From a study's folder to its answer: what `absorb run` ends with and `absorb report` repeats.
#pragma once

#include <string>

#include "studies/folder/record.h"
#include "studies/plan/plan.h"

namespace absorb {

/// A study with what it extends and --set laid in, so that its folder explains itself.
Settings whole_study(const Study& study);
/// Writes that to <folder>/study.toml, with every loaded plug-in copied beside it: the study names the copies.
void write_study(Study study, const Path& folder);
/// The study that a folder holds; UserError if it is none.
Study study_in(const Path& folder, const std::vector<std::string>& sets = {});
/// Its plan, with that folder as the study's own.
RunPlan plan_in(const Path& folder, const std::vector<std::string>& sets = {});

/// Runs of one arm, of a target and seed where they are given (empty, negative: all).
struct RunsWanted {
  std::string arm, target;
  int64_t seed = -1;
};
/// UserError with what there is, where no run fits.
std::vector<RunSpec> runs_of_arm(const RunPlan& plan, const RunsWanted& wanted);
/// The record of a planned run that has not begun.
RunRecord waiting_record(const RunSpec& run);
/// Records of all planned runs.
std::vector<RunRecord> read_records(const RunPlan& plan);

/// Analyses the folder, writes results.json, the CSV files and report.html, and returns the table with where they are.
std::string summarise(const Path& folder);
/// What was measured of one arm: tables and attribution, with where the page is.
std::string summarise_compensation(const Path& folder, const std::string& arm);

}  // namespace absorb
