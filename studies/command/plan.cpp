// absorb plan: how many seeds a study needs, before it runs.
#include <cmath>
#include <iostream>
#include <set>

#include "core/device.h"
#include "core/error.h"
#include "studies/analysis/sample_size.h"
#include "studies/command/commands.h"
#include "studies/command/summary.h"
#include "studies/cost/estimate.h"
#include "studies/folder/differences.h"
#include "studies/report/text/table.h"
#include "studies/report/text/text_table.h"

namespace absorb {
namespace {

SizeRequest checked(const PlanOptions& options) {
  const auto positive = [](const std::optional<double>& value) {
    return !value || (*value > 0 && std::isfinite(*value));
  };
  require(positive(options.margin_nats), "--margin-nats must be above 0 nats per token but got {:g}",
          options.margin_nats.value_or(0));
  require(positive(options.sd), "--sd must be above 0 nats per token but got {:g}", options.sd.value_or(0));
  require(options.power > 0 && options.power < 1, "--power must be between 0 and 1, such as 0.8, but got {:g}",
          options.power);
  return {options.margin_nats.value_or(0), options.power, options.sd.value_or(0)};
}

bool has_settings(const RunRecord& run) {
  return std::filesystem::exists(run.folder / "settings.json");
}

/// What the pilot's runs were trained with that this study's will not be: its sd may then not hold.
std::set<std::string> changes_since(const std::vector<RunRecord>& pilot, const RunPlan& plan) {
  std::set<std::string> changes;
  for (const RunSpec& run : plan.runs) {
    const auto before = std::find_if(pilot.begin(), pilot.end(), [&run](const RunRecord& other) {
      return other.arm == run.arm && other.target == run.settings.target &&
             (other.cell == run.cell || other.cell.empty()) && has_settings(other);
    });
    if (before == pilot.end()) continue;
    Json same_seed = read_record_json(before->folder / "settings.json");
    same_seed["seed"] = run.settings.seed;
    Json now = write_run_settings(run.settings);
    for (Json* settings : {&same_seed, &now}) erase_allowances(*settings);
    for (const std::string& line : differences(same_seed, now)) changes.insert(line);
  }
  return changes;
}

std::string warning(const std::set<std::string>& changes) {
  constexpr size_t most = 8;
  if (changes.empty()) return "";
  std::vector<std::string> shown(
      changes.begin(), std::next(changes.begin(), static_cast<std::ptrdiff_t>(std::min(most, changes.size()))));
  if (changes.size() > most) shown.push_back(fmt::format("and {} more", changes.size() - most));
  return "\n" +
         wrapped("NOTE: the pilot was trained with other settings, so its sd need not hold here: " + join(shown, "; "),
                 table_width);
}

}  // namespace

int plan_command(const PlanOptions& options) {
  const SizeRequest request = checked(options);
  const Study study = read_study(options.study, options.sets);
  const RunPlan plan = plan_runs(study, "runs");
  std::optional<Pilot> pilot;
  std::string note;
  if (!options.pilot.empty()) {
    const std::vector<RunRecord> before = read_records(options.pilot, planned_in(options.pilot));
    pilot = pilot_for(study, options.pilot, before, two_by_two(plan));
    note = warning(changes_since(before, plan));
  }
  std::vector<RunRecord> to_come;
  for (const PlannedRun& run : plan_record(study, plan).runs) to_come.push_back(waiting_record(run));
  const std::vector<PlannedContrast> planned = plan_contrasts(study, to_come, pilot, request);
  const auto seeds = static_cast<int64_t>(study.settings.seeds.size());
  const SeedCost cost{static_cast<int64_t>(plan.runs.size()) / seeds,
                      training_seconds(plan, find_device(options.device)) / static_cast<double>(seeds)};
  std::cout << sample_size_text(study, planned, request, cost)
            << quantities_text(pilot ? plan_quantities(study, *pilot, request) : std::vector<PlannedQuantity>{},
                               request, seeds)
            << note;
  return exit_done;
}

}  // namespace absorb
