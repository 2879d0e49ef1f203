// plan.json: the runs of a study as `absorb run` planned them, so that whoever looks at the folder needs neither the
// model nor its data to know what is in it. Every folder in it is relative to the study's own, which may be moved.
#pragma once

#include "studies/folder/fields/record_fields.h"
#include "studies/study/study.h"

namespace absorb {

struct PlannedDeployment {
  std::string key, identity;
};
void fields(RecordFields& list, PlannedDeployment& deployment);

struct PlannedRun {
  std::string arm, target;
  std::map<std::string, std::string> cell;  // axis key -> value
  int64_t seed = 0;
  std::string folder;  // "learned.attention/seed-1", which is its name as well
  std::string identity;
  std::string parent, moments;  // folders of the runs whose weights and moments it starts from; empty: none
  std::vector<PlannedDeployment> deployments;
};
void fields(RecordFields& list, PlannedRun& run);

/// Sentences of the page's methods that only who plans can say.
struct MethodsWords {
  std::string data, model, training;  // `model` without its full stop: what was matched to it follows
};
void fields(RecordFields& list, MethodsWords& words);
void fields(RecordFields& list, TwoByTwo& corners);

struct PlanRecord {
  std::vector<PlannedRun> runs;
  TwoByTwo corners;  // arms of target both by which of their routers learn; empty where there is no such square
  MethodsWords methods;
  std::string study;  // hash of study.toml; empty in folders of before
  std::optional<TwoByTwo> square() const;
};
void fields(RecordFields& list, PlanRecord& plan);

/// <folder>/plan.json. UserError on damage, where study.toml beside it is another than the one that was planned, and
/// where it names a folder outside the study's, a run twice, or a parent or an arm that is none of its runs.
PlanRecord read_plan(const Path& folder);
/// After study.toml, whose checksum it holds.
void write_plan(const Path& folder, PlanRecord plan);
bool has_plan(const Path& folder);

}  // namespace absorb
