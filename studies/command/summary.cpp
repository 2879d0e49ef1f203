#include "studies/command/summary.h"

#include <set>

#include "core/error.h"
#include "studies/analysis/compensation/summaries.h"
#include "studies/analysis/tuning.h"
#include "studies/command/commands.h"
#include "studies/folder/analysis_lock.h"
#include "studies/folder/paths.h"
#include "studies/plugin/load.h"
#include "studies/report/data/results.h"
#include "studies/report/text/compensation_table.h"
#include "studies/report/text/table.h"
#include "studies/run/deployment.h"
#include "studies/run/runner.h"
#include "studies/study/axes.h"
#include "studies/study/tune.h"

namespace absorb {

Settings whole_study(const Study& study) {
  Json whole = study.base.value();
  whole["study"] = write_settings(study.settings);
  whole["study"].erase("extends");
  if (study.settings.plugins.empty()) whole["study"].erase("plugins");
  for (const ArmSpec& arm : study.arms) {
    Settings overrides = arm.overrides;
    overrides.merge(study.last);
    Json table = overrides.value();
    table["name"] = arm.name;
    if (!arm.targets.empty()) table["targets"] = arm.targets;
    if (!arm.from.empty()) table["from"] = arm.from;
    if (!arm.reinitialise.empty()) table["reinitialise"] = arm.reinitialise;
    whole["arm"].push_back(table);
  }
  for (const AxisSpec& axis : study.axes) whole["axis"].push_back(write_axis(axis));
  for (const ContrastSpec& contrast : study.contrasts) whole["contrast"].push_back(write_settings(contrast));
  if (!study.stages.empty()) whole["plan"] = write_settings(study.stages);
  if (!study.tune.empty()) whole["tune"] = write_tune(study.tune).value();
  for (const TunedSpec& tuned : study.tuned) whole["tuned"].push_back(write_tuned(tuned));
  for (const ClaimSpec& claim : study.claims) whole["claim"].push_back(write_settings(claim));
  for (const DeploymentSpec& deployment : study.deployments) {
    Json table = write_settings(deployment);
    if (!deployment.routing.value().empty()) table["routing"] = deployment.routing.value();
    whole["deployment"].push_back(table);
  }
  whole["compensation"] = write_settings(study.compensation);
  return Settings::from_json(std::move(whole), study.file.string());
}

void write_study(Study study, const Path& folder) {
  study.settings.plugins = keep_plugins(folder);
  write_file(folder / "study.toml", whole_study(study).toml());
}

Study tuned(Study study, const Path& runs) {
  if (study.tune.empty()) return study;
  const Path folder = runs / tuning_study(study).settings.name;
  require(std::filesystem::exists(folder / "plan.json"), "{}: its grid isn't trained yet: `absorb run {}` does that",
          study.file.string(), study.file.string());
  study.tuned = best_of_grid(study, read_records(folder, planned_in(folder)));
  return study;
}

Study study_in(const Path& folder, const std::vector<std::string>& sets) {
  require(std::filesystem::is_directory(folder), "{}: there is no such folder", folder.string());
  require(std::filesystem::exists(folder / "study.toml"),
          "{}: is no study's folder: it holds no study.toml (give the folder below runs/ that `absorb run` made)",
          folder.string());
  for (const std::string& set : sets)
    require(set.starts_with("compensation."),
            "--set {}: of a study whose runs are finished only compensation.* can be set", set);
  return read_study(folder / "study.toml", sets);
}

PlanRecord planned_in(const Path& folder) {
  const Study study = study_in(folder);
  if (has_plan(folder)) return read_plan(folder);
  try {
    return plan_record(study, plan_in(folder));
  } catch (const UserError& error) {
    user_error(
        "{}: is of format 0, which has no plan.json (this absorb writes format {}), and can't be planned anew: {}",
        folder.string(), folder_format, error.what());
  }
}

RunPlan plan_in(const Path& folder, const std::vector<std::string>& sets) {
  const Path whole = std::filesystem::absolute(folder).lexically_normal();
  const Path own = whole.filename().empty() ? whole.parent_path() : whole;
  Study study = study_in(folder, sets);
  study.settings.name = own.filename().string();
  return plan_runs(study, own.parent_path());
}

void require_weights_for_open(const RunPlan& plan) {
  for (const RunSpec& run : plan.runs) {
    if (!is_closed(run) && !run.parent_run.empty()) require_weights(run.parent_run, "training " + run.name());
    for (const DeploymentTask* task : open_deployments(run))
      for (const Path& folder : {run.folder, task->source, task->label_run})
        if (!folder.empty()) require_weights(folder, fmt::format("deployment \"{}\" of {}", task->key, run.name()));
  }
}

std::vector<RunSpec> runs_of_arm(const RunPlan& plan, const RunsWanted& wanted) {
  std::vector<RunSpec> runs;
  std::set<std::string> arms;
  for (const RunSpec& run : plan.runs) {
    if (run.settings.target == "dense") continue;
    arms.insert(run.arm);
    if (run.arm == wanted.arm && (wanted.target.empty() || run.settings.target == wanted.target) &&
        (wanted.seed < 0 || run.settings.seed == wanted.seed))
      runs.push_back(run);
  }
  require(!runs.empty(), "no run of arm \"{}\"{}{}; arms: {}", wanted.arm,
          wanted.target.empty() ? "" : " and target " + wanted.target,
          wanted.seed < 0 ? "" : fmt::format(" and seed {}", wanted.seed), join({arms.begin(), arms.end()}));
  return runs;
}

namespace {

// What the page answers of its own accord: the strongest ways, who makes up for how many, and whether the cheap
// measures predict what was measured. A question whose measures are missing isn't asked.
void ask(CompensationResults& results) {
  if (results.empty()) return;
  const CompensationGraph graph = graph_of(results.measurements);
  for (const std::string& target : targets_of(results))
    for (const char* query : {"agreement", "paths", "sharing"}) {
      QueryRequest request;
      request.query = query;
      request.edges.arm = results.measurements.front().arm;
      request.edges.target = target;
      try {
        results.queries.push_back(run_query(graph, request));
      } catch (const UserError&) {
        continue;
      }
    }
}

StudyReport analysed(const Path& folder) {
  const PlanRecord plan = planned_in(folder);
  StudyReport all{study_in(folder), plan.methods, read_records(folder, plan), {}, {}};
  const Locked locked = locked_in(folder);
  all.analysis = analyse(all.study, all.records, locked.contrasts, plan.square(), locked.claims);
  return all;
}

StudyReport written(const Path& folder, const std::string& arm) {
  StudyReport all = analysed(folder);
  all.compensation = collect_compensation(all.records, arm);
  ask(all.compensation);
  write_results(folder, all);
  return all;
}

// The last line: where the page lies.
std::string page_line(const Path& folder) {
  return fmt::format("\npage: {}\n", std::filesystem::absolute(folder / "report.html").lexically_normal().string());
}

}  // namespace

bool is_decided(const Path& folder) {
  const std::optional<Stages> stages = analysed(folder).analysis.stages;
  return stages && stages->decided > 0;
}

std::string summarise(const Path& folder) {
  const StudyReport all = written(folder, "");
  return print_table(all.study, all.records, all.analysis) +
         (all.compensation.empty() ? "" : "\n" + print_compensation(all.compensation)) + page_line(folder);
}

std::string summarise_compensation(const Path& folder, const std::string& arm) {
  return print_compensation(written(folder, arm).compensation) + page_line(folder);
}

}  // namespace absorb
