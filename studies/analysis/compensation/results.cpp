#include "studies/analysis/compensation/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "compensation/measures/measures.h"
#include "compensation/measures/recovery_measure.h"
#include "core/error.h"
#include "studies/analysis/compensation/summaries.h"
#include "studies/analysis/wording.h"
#include "studies/folder/paths.h"

namespace absorb {
namespace {

/// The measurements of one run, and of the files that can't be read the reasons.
void read_folder(const RunRecord& record, std::vector<Measurement>& measurements, std::vector<std::string>& notes) {
  for (const std::string& measure : measured_in(record.folder)) {
    const Path file = measurement_file(record.folder, measure);
    try {
      Measurement measurement = load_measurement(file);
      measurement.arm = record.arm;
      measurement.target = record.target;
      measurement.seed = record.seed;
      measurements.push_back(std::move(measurement));
    } catch (const UserError& error) {
      notes.emplace_back(error.what());
    }
  }
}

void sort_for_reading(std::vector<Measurement>& measurements) {
  const auto key = [](const Measurement& m) {
    return std::tuple(place_of_target(m.target), m.seed, place_of_measure(m.measure));
  };
  std::stable_sort(measurements.begin(), measurements.end(),
                   [&key](const Measurement& a, const Measurement& b) { return key(a) < key(b); });
}

/// The arm and cell that are shown, of those that were measured (in the order of the records).
std::pair<std::string, Cell> chosen(const std::vector<std::pair<std::string, Cell>>& measured, const std::string& arm) {
  const std::string wanted = arm.empty() ? "learned" : arm;
  for (const auto& each : measured)
    if (each.first == wanted) return each;
  return arm.empty() && !measured.empty() ? measured.front() : std::pair<std::string, Cell>{wanted, {}};
}

}  // namespace

std::vector<std::string> measured_in(const Path& run) {
  std::vector<std::string> known = measure_names(), others;
  const auto is_known = [&known](const std::string& name) { return std::ranges::find(known, name) != known.end(); };
  if (std::filesystem::is_directory(compensation_folder(run)))
    for (const auto& entry : std::filesystem::directory_iterator(compensation_folder(run))) {
      const std::string name = entry.path().stem().string();
      if (entry.path().extension() == ".json" && name != "made" && name != "claim" && !is_known(name))
        others.push_back(name);
    }
  std::erase_if(known,
                [&run](const std::string& name) { return !std::filesystem::exists(measurement_file(run, name)); });
  std::ranges::sort(others);
  known.insert(known.end(), others.begin(), others.end());
  return known;
}

CompensationResults compensation_results(std::vector<Measurement> measurements) {
  CompensationResults results;
  if (measurements.empty()) return results;
  sort_for_reading(measurements);
  results.arm = measurements.front().arm;
  for (const Measurement& measurement : measurements) {
    if (measurement.measure != "recovery") continue;
    try {
      if (auto found = recovery_results(measurement); !found.empty())
        results.recoveries.push_back({measurement.target, measurement.seed, std::move(found)});
    } catch (const std::exception& error) {
      results.notes.push_back(fmt::format("recovery of {}, {}, seed {} can't be read ({}): measure it again",
                                          measurement.arm, measurement.target, measurement.seed, error.what()));
    }
  }
  results.attributions = attribute(results.recoveries);
  results.measurements = std::move(measurements);
  return results;
}

CompensationResults collect_compensation(const std::vector<RunRecord>& records, const std::string& arm) {
  std::vector<std::pair<std::string, Cell>> measured;
  std::vector<std::string> notes;
  std::map<std::pair<std::string, Cell>, std::vector<Measurement>> found;
  for (const RunRecord& record : records) {
    if (record.folder.empty()) continue;
    const std::pair<std::string, Cell> place{record.arm, record.cell};
    const std::size_t before = found[place].size();
    read_folder(record, found[place], notes);
    const bool is_new = std::find(measured.begin(), measured.end(), place) == measured.end();
    if (found[place].size() > before && is_new) measured.push_back(place);
  }
  const auto shown = chosen(measured, arm);
  CompensationResults results = compensation_results(std::move(found[shown]));
  results.arm = shown.first;
  results.cell = shown.second;
  results.notes.insert(results.notes.end(), notes.begin(), notes.end());
  for (const auto& other : measured)
    if (other != shown)
      results.notes.push_back("also measured, and not shown here: arm " + with_cell(other.first, other.second));
  return results;
}

}  // namespace absorb
