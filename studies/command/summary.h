// From a study's folder to its answer: what `absorb run` ends with and `absorb report` repeats.
#pragma once

#include <string>

#include "studies/folder/record.h"
#include "studies/plan/plan_record.h"

namespace absorb {

/// A study with what it extends and --set laid in, so that its folder explains itself.
Settings whole_study(const Study& study);
/// Writes that to <folder>/study.toml, with every loaded plug-in copied beside it: the study names the copies.
void write_study(Study study, const Path& folder);
/// The study with each arm's best of its grid ([tune]), which is read in the grid's own folder below `runs`; a study
/// without a grid as it is. UserError where the grid isn't trained yet.
Study tuned(Study study, const Path& runs);
/// The study that a folder holds; UserError if it is none.
Study study_in(const Path& folder, const std::vector<std::string>& sets = {});
/// What `absorb run` planned there: its plan.json. A folder of format 0 has none: it is planned from its study.toml,
/// which takes what it was trained with; UserError that names both formats where that is impossible.
PlanRecord planned_in(const Path& folder);
/// Its plan made anew, for whoever trains or measures, with that folder as the study's own.
RunPlan plan_in(const Path& folder, const std::vector<std::string>& sets = {});

/// UserError where what is still open, training or a deployment, needs weights that a bundle came without: said before
/// anything else goes on.
void require_weights_for_open(const RunPlan& plan);

/// Runs of one arm, of a target and seed where they are given (empty, negative: all).
struct RunsWanted {
  std::string arm, target;
  int64_t seed = -1;
};
/// UserError with what there is, where no run fits.
std::vector<RunSpec> runs_of_arm(const RunPlan& plan, const RunsWanted& wanted);
/// Whether a plan in stages has its verdicts, by what lies in the folder.
bool is_decided(const Path& folder);
/// Analyses the folder, writes results.json, the CSV files and report.html, and returns the table with where they are.
std::string summarise(const Path& folder);
/// What was measured of one arm: tables and attribution, with where the page is.
std::string summarise_compensation(const Path& folder, const std::string& arm);

}  // namespace absorb
