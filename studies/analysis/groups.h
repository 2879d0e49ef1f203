// The runs of a study by arm, target and cell, in the order in which every table and figure shows them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "studies/folder/record.h"
#include "studies/study/study.h"

namespace absorb {

using Cell = std::map<std::string, std::string>;  // axis key -> value

struct RunGroup {
  std::string arm, target;
  Cell cell;
  std::vector<const RunRecord*> done;  // by seed; with a valid loss
  int64_t failed = 0, unfinished = 0;
};

/// Dense first, then the study's targets in its order; within a target cells in order of appearance, within a cell the
/// arms in the study's order. The records must outlive the result.
std::vector<RunGroup> group_runs(const Study& study, const std::vector<RunRecord>& records);
/// Null when the study has no such runs.
const RunGroup* find_group(const std::vector<RunGroup>& groups, const std::string& arm, const std::string& target,
                           const Cell& cell);
/// One group for every target (but dense) and cell: where contrasts are made.
std::vector<const RunGroup*> places_of(const std::vector<RunGroup>& groups);
/// The arm there; the dense arm stands beside every target, and beside every cell where no axis touches it. Null where
/// the study has no such runs.
const RunGroup* arm_at(const std::vector<RunGroup>& groups, const std::string& arm, const RunGroup& place);
/// Every cell of the groups once, in their order.
std::vector<Cell> cells_of(const std::vector<RunGroup>& groups);

/// "rank 4, noise 0.1": the last part of each key; empty for a study without axes.
std::string cell_label(const Cell& cell);
/// One number per done run.
template <class F>
std::vector<double> values_of(const std::vector<const RunRecord*>& runs, F value) {
  std::vector<double> values;
  for (const RunRecord* run : runs) values.push_back(value(*run));
  return values;
}
/// Valid loss of a run under a deployment; NaN when that was not evaluated.
double evaluation(const RunRecord& run, const std::string& deployment);
/// What the deployment costs the run: its loss there minus its own, in nats per token; NaN when it was not evaluated.
double deployment_cost(const RunRecord& run, const std::string& deployment);

}  // namespace absorb
