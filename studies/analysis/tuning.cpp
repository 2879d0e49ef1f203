#include "studies/analysis/tuning.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "statistics/summary.h"
#include "studies/analysis/groups.h"
#include "studies/analysis/wording.h"
#include "studies/study/tune.h"

namespace absorb {
namespace {

bool in_grid(const Study& study, const std::string& key) {
  return std::ranges::find(study.tune.grid, key, &AxisSpec::key) != study.tune.grid.end();
}

/// The part of a cell that the study's own axes make, or that the grid's make.
Cell part_of(const Study& study, const Cell& cell, bool grid) {
  Cell part;
  for (const auto& [key, label] : cell)
    if (in_grid(study, key) == grid) part[key] = label;
  return part;
}

/// The values behind the labels of a cell of the grid.
Json values_of_cell(const Study& study, const Cell& cell) {
  Json values = Json::object();
  for (const AxisSpec& axis : study.tune.grid) {
    const auto label = cell.find(axis.key);
    if (label == cell.end()) continue;  // the dense arm has no routing
    const auto place = std::ranges::find(axis.labels, label->second) - axis.labels.begin();
    values[axis.key] = axis.values.at(static_cast<std::size_t>(place));
  }
  return values;
}

TunedSpec& entry(std::vector<TunedSpec>& all, const RunGroup& group, const Cell& cell) {
  const auto found = std::ranges::find_if(all, [&](const TunedSpec& tuned) {
    return tuned.arm == group.arm && tuned.target == group.target && tuned.cell == cell;
  });
  if (found != all.end()) return *found;
  all.push_back({.arm = group.arm, .target = group.target, .cell = cell, .chosen = "", .tried = {}, .losses = {}});
  return all.back();
}

}  // namespace

std::vector<TunedSpec> best_of_grid(const Study& study, const std::vector<RunRecord>& grid) {
  const Study tuning = tuning_study(study);
  std::vector<TunedSpec> chosen;
  for (const RunGroup& group : group_runs(tuning, grid)) {
    require(group.unfinished == 0, "the grid of {} isn't trained to its end: `absorb run` goes on with it",
            study.settings.name);
    TunedSpec& tuned = entry(chosen, group, part_of(study, group.cell, false));
    const Cell cell = part_of(study, group.cell, true);
    // A value with which a seed failed is none to train with.
    const double loss = group.failed > 0
                            ? std::nan("")
                            : summarize(values_of(group.done, [](const RunRecord& run) { return run.val_loss; })).mean;
    const bool better =
        std::isfinite(loss) && std::ranges::none_of(tuned.losses, [&](double other) { return other <= loss; });
    tuned.tried.push_back(cell_label(cell));
    tuned.losses.push_back(loss);
    if (!better) continue;
    tuned.chosen = tuned.tried.back();
    tuned.values = values_of_cell(study, cell);
  }
  for (const TunedSpec& tuned : chosen)
    require(!tuned.values.empty() || tuned.tried == std::vector<std::string>{""},
            "no value of the grid trains {} ({}) without failing", tuned.arm, with_cell(tuned.target, tuned.cell));
  return chosen;
}

std::vector<std::string> tuning_sentences(const Study& study) {
  std::vector<std::string> sentences;
  for (const TunedSpec& tuned : study.tuned) {
    const auto best = std::ranges::find(tuned.tried, tuned.chosen) - tuned.tried.begin();
    std::string others;
    for (std::size_t i = 0; i < tuned.tried.size(); ++i)
      if (i != static_cast<std::size_t>(best))
        others += fmt::format("{}{} {}", others.empty() ? "" : ", ", tuned.tried[i],
                              signed_number(tuned.losses[i] - tuned.losses[static_cast<std::size_t>(best)]));
    sentences.push_back(fmt::format("{} ({}): {}{}", tuned.arm, with_cell(tuned.target, tuned.cell), tuned.chosen,
                                    others.empty() ? "" : "; nats above it: " + others));
  }
  return sentences;
}

}  // namespace absorb
