// Compensation of one finished run: which measures there are, where their files lie, and when one has to be made anew.
#pragma once

#include "compensation/measures/measurement.h"
#include "studies/folder/paths.h"
#include "studies/plan/plan.h"

namespace absorb {

struct MeasureRequest {
  std::vector<std::string> measures;  // of measure_names()
  std::vector<int64_t> layers;        // empty: all
  CompensationSettings settings;
  at::Device device = at::kCPU;
};

/// The other arms' runs that drift compares a run with; their folders are empty where there are none.
struct DriftPair {
  const RunSpec* paired = nullptr;
  const RunSpec* same = nullptr;
  std::string missing;  // one sentence: which arm there isn't
};
DriftPair drift_pair(const Study& study, const RunPlan& plan, const RunSpec& run);

/// What arm and axis cell are called in graphs: "learned", or "learned.4" in the cell of an axis, as the run's folder
/// has it without the target.
std::string arm_label(const RunSpec& run);

/// The measures of a request that `run` lacks, or has with other settings.
std::vector<std::string> open_measures(const RunSpec& run, const DriftPair& pair, const MeasureRequest& request);

/// Makes them and writes their files, whole or absent. `progress` as in MeasureContext, with the measure's name before
/// it. UserError for a run that isn't finished and a layer that it hasn't.
void measure_run(const RunSpec& run, const DriftPair& pair, const MeasureRequest& request,
                 const std::function<void(const std::string& next, int64_t done, int64_t total)>& progress);

}  // namespace absorb
