#include "studies/command/summary.h"

#include "core/error.h"
#include "studies/command/commands.h"
#include "studies/deploy_task.h"
#include "studies/results.h"
#include "studies/table.h"

namespace absorb {

Settings whole_study(const Study& study) {
  Json whole = study.base.value();
  whole["study"] = write_settings(study.settings);
  whole["study"].erase("extends");
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
  for (const AxisSpec& axis : study.axes)
    whole["axis"].push_back({{"key", axis.key}, {"values", axis.values}, {"labels", axis.labels}});
  for (const ContrastSpec& contrast : study.contrasts) whole["contrast"].push_back(write_settings(contrast));
  for (const DeploymentSpec& deployment : study.deployments) {
    Json table = write_settings(deployment);
    if (!deployment.routing.value().empty()) table["routing"] = deployment.routing.value();
    whole["deployment"].push_back(table);
  }
  return Settings::from_json(std::move(whole), study.file.string());
}

Study study_in(const Path& folder) {
  require(std::filesystem::is_directory(folder), "{}: there is no such folder", folder.string());
  require(std::filesystem::exists(folder / "study.toml"),
          "{}: is no study's folder: it holds no study.toml (give the folder below runs/ that `absorb run` made)",
          folder.string());
  return read_study(folder / "study.toml");
}

RunPlan plan_in(const Path& folder) {
  const Path whole = std::filesystem::absolute(folder).lexically_normal();
  const Path own = whole.filename().empty() ? whole.parent_path() : whole;
  Study study = study_in(folder);
  study.settings.name = own.filename().string();
  return plan_runs(study, own.parent_path());
}

namespace {

// Results of deployments that the study no longer has, or has otherwise, are not shown.
void keep_current(RunRecord& record, const RunSpec& run) {
  std::erase_if(record.deployments, [&](const auto& entry) {
    const bool current = std::any_of(run.deployments.begin(), run.deployments.end(), [&](const DeploymentTask& task) {
      return task.key == entry.first && is_deployed(run, task);
    });
    if (!current) record.evaluations.erase(entry.first);
    return !current;
  });
}

}  // namespace

std::vector<RunRecord> read_records(const RunPlan& plan) {
  std::vector<RunRecord> records;
  for (const RunSpec& run : plan.runs) {
    records.push_back(read_record(run.folder));
    RunRecord& record = records.back();
    record.arm = run.arm;
    record.target = run.settings.target;
    record.seed = run.settings.seed;
    record.cell = run.cell;
    keep_current(record, run);
  }
  return records;
}

std::string summarise(const Path& folder) {
  const Study study = study_in(folder);
  const RunPlan plan = plan_in(folder);
  const std::vector<RunRecord> records = read_records(plan);
  const StudyAnalysis analysis = analyse(study, records, locked_contrasts(folder), two_by_two(plan));
  write_results(folder, study, records, analysis);
  return print_table(study, records, analysis) +
         fmt::format("\npage: {}\n", std::filesystem::absolute(folder / "report.html").lexically_normal().string());
}

}  // namespace absorb
