#include "studies/folder/records/plan.h"

#include <set>

#include "core/error.h"
#include "studies/folder/paths.h"

namespace absorb {
namespace {

Path file_in(const Path& folder) {
  return folder / "plan.json";
}

// Of study.toml; empty where there is none.
std::string study_hash(const Path& folder) {
  const Path file = folder / "study.toml";
  return std::filesystem::exists(file) ? hash_hex(read_file(file)) : "";
}

void require_sensible(const PlanRecord& plan, const Path& file) {
  std::set<std::string> folders, arms;
  for (const PlannedRun& run : plan.runs) {
    require(is_inside(run.folder), "{}: the folder \"{}\" of a run lies outside the study's", file.string(),
            run.folder);
    require(folders.insert(run.folder).second, "{}: the run {} stands twice", file.string(), run.folder);
    arms.insert(run.arm);
  }
  for (const PlannedRun& run : plan.runs)
    for (const std::string& needed : {run.parent, run.moments})
      require(needed.empty() || folders.contains(needed), "{}: {} needs the run {}, which isn't planned", file.string(),
              run.folder, needed);
  for (const std::string& arm : {plan.corners.ll, plan.corners.rl, plan.corners.lr, plan.corners.rr})
    require(arm.empty() || arms.contains(arm), "{}: `corners` names the arm {}, which has no run", file.string(), arm);
}

}  // namespace

void fields(RecordFields& list, PlannedDeployment& deployment) {
  list.field("key", deployment.key, "Name of its file below deployments/.");
  list.field("identity", deployment.identity, "Hash of all that it depends on; a file with another one isn't shown.");
}

void fields(RecordFields& list, PlannedRun& run) {
  list.field("arm", run.arm, "Name of the arm.");
  list.field("target", run.target, "dense, attention, moe or both.");
  list.field("cell", run.cell, "Value of each axis, by its key.");
  list.field("seed", run.seed, "Seed of the run.");
  list.field("folder", run.folder, "Where it lies in the study's folder.");
  list.field("identity", run.identity, "Hash of the resolved settings, less what can't change a weight.");
  list.field("parent", run.parent, About("Folder of the run whose weights it starts from.").optional());
  list.field("moments", run.moments, About("Folder of the run whose score moments it takes.").optional());
  nested(list, "deployments", run.deployments, About("What its weights are evaluated under.").optional());
}

void fields(RecordFields& list, MethodsWords& words) {
  list.field("data", words.data, "What it was trained on.");
  list.field("model", words.model, "The shared transformer, without a full stop.");
  list.field("training", words.training, "The optimiser and its schedule.");
}

void fields(RecordFields& list, TwoByTwo& corners) {
  list.field("ll", corners.ll, "Both routers learn.");
  list.field("rl", corners.rl, "Attention's is frozen.");
  list.field("lr", corners.lr, "The experts' is frozen.");
  list.field("rr", corners.rr, "Both are frozen.");
}

void fields(RecordFields& list, PlanRecord& plan) {
  nested(list, "runs", plan.runs, "Every run, in the order of tables.");
  nested(list, "corners", plan.corners, "Arms of target both by which routers learn; empty where one is missing.");
  nested(list, "methods", plan.methods, "Sentences of the page's methods.");
  list.field("study", plan.study, About("xxh3-128 of study.toml beside it.").optional().unpublished());
}

std::optional<TwoByTwo> PlanRecord::square() const {
  if (corners.ll.empty() || corners.rl.empty() || corners.lr.empty() || corners.rr.empty()) return std::nullopt;
  return corners;
}

bool has_plan(const Path& folder) {
  return std::filesystem::exists(file_in(folder));
}

PlanRecord read_plan(const Path& folder) {
  auto plan = read_record<PlanRecord>(file_in(folder));
  require_sensible(plan, file_in(folder));
  require(plan.study.empty() || plan.study == study_hash(folder),
          "{}: is not what was planned: change the study's own file and repeat `absorb run`, which writes both anew",
          (folder / "study.toml").string());
  return plan;
}

void write_plan(const Path& folder, PlanRecord plan) {
  plan.study = study_hash(folder);
  write_record(file_in(folder), plan);
}

}  // namespace absorb
