#include "studies/analysis/groups.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "core/numbers.h"

namespace absorb {
namespace {

size_t place(const std::vector<std::string>& order, const std::string& name) {
  return static_cast<size_t>(std::find(order.begin(), order.end(), name) - order.begin());
}

void add(RunGroup& group, const RunRecord& run) {
  if (run.state == "done" && std::isfinite(run.val_loss)) {
    group.done.push_back(&run);
  } else if (run.state == "failed") {
    ++group.failed;
  } else {
    ++group.unfinished;
  }
}

}  // namespace

std::vector<RunGroup> group_runs(const Study& study, const std::vector<RunRecord>& records) {
  std::vector<std::string> targets{"dense"}, arms{"dense"};
  targets.insert(targets.end(), study.settings.targets.begin(), study.settings.targets.end());
  for (const ArmSpec& arm : study.arms) arms.push_back(arm.name);
  std::vector<RunGroup> groups;
  std::vector<Cell> cells;
  for (const RunRecord& run : records) {
    auto found = std::find_if(groups.begin(), groups.end(), [&run](const RunGroup& group) {
      return group.arm == run.arm && group.target == run.target && group.cell == run.cell;
    });
    if (found == groups.end()) found = groups.insert(groups.end(), RunGroup{run.arm, run.target, run.cell, {}});
    add(*found, run);
    if (std::find(cells.begin(), cells.end(), run.cell) == cells.end()) cells.push_back(run.cell);
  }
  for (RunGroup& group : groups)
    std::stable_sort(group.done.begin(), group.done.end(),
                     [](const RunRecord* a, const RunRecord* b) { return a->seed < b->seed; });
  const auto key = [&](const RunGroup& group) {
    const auto cell = std::find(cells.begin(), cells.end(), group.cell) - cells.begin();
    return std::tuple(place(targets, group.target), cell, place(arms, group.arm));
  };
  std::stable_sort(groups.begin(), groups.end(), [&](const RunGroup& a, const RunGroup& b) { return key(a) < key(b); });
  return groups;
}

const RunGroup* find_group(const std::vector<RunGroup>& groups, const std::string& arm, const std::string& target,
                           const Cell& cell) {
  const auto found = std::find_if(groups.begin(), groups.end(), [&](const RunGroup& group) {
    return group.arm == arm && group.target == target && group.cell == cell;
  });
  return found == groups.end() ? nullptr : &*found;
}

std::vector<const RunGroup*> places_of(const std::vector<RunGroup>& groups) {
  std::vector<const RunGroup*> places;
  for (const RunGroup& group : groups) {
    const auto same = [&group](const RunGroup* p) { return p->target == group.target && p->cell == group.cell; };
    if (group.target != "dense" && std::none_of(places.begin(), places.end(), same)) places.push_back(&group);
  }
  return places;
}

const RunGroup* arm_at(const std::vector<RunGroup>& groups, const std::string& arm, const RunGroup& place) {
  if (arm != "dense") return find_group(groups, arm, place.target, place.cell);
  const RunGroup* dense = find_group(groups, arm, "dense", place.cell);
  return dense != nullptr ? dense : find_group(groups, arm, "dense", {});
}

std::vector<Cell> cells_of(const std::vector<RunGroup>& groups) {
  std::vector<Cell> cells;
  for (const RunGroup& group : groups)
    if (std::find(cells.begin(), cells.end(), group.cell) == cells.end()) cells.push_back(group.cell);
  return cells;
}

std::string cell_label(const Cell& cell) {
  std::string label;
  for (const auto& [key, value] : cell) {
    const size_t dot = key.rfind('.');
    label += (label.empty() ? "" : ", ") + (dot == std::string::npos ? key : key.substr(dot + 1)) + " " + value;
  }
  return label;
}

double evaluation(const RunRecord& run, const std::string& deployment) {
  const auto found = run.evaluations.find(deployment);
  if (found != run.evaluations.end()) return found->second;
  return deployment == "native" ? run.val_loss : nan;
}

double deployment_cost(const RunRecord& run, const std::string& deployment) {
  return evaluation(run, deployment) - evaluation(run, "native");
}

}  // namespace absorb
