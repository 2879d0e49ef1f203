// What a study's finished runs were measured to have, gathered for the table and the report: both show these numbers
// alone. Surprising: one arm and one axis cell at a time, since seeds are pairs only within these; what else was
// measured is named in the notes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compensation/graph/queries/queries.h"
#include "compensation/measures/measurement.h"
#include "compensation/recovery/attribution.h"
#include "studies/analysis/groups.h"
#include "studies/folder/record.h"

namespace absorb {

struct CompensationResults {
  std::string arm;
  Cell cell;
  std::vector<Measurement> measurements;  // by target, seed and measure
  std::vector<RunRecoveries> recoveries;  // what those of measure "recovery" hold; by target and seed
  std::vector<Attribution> attributions;
  std::vector<QueryResult> queries;  // asked of the graphs by whoever gathers the results; may be empty
  std::vector<std::string> notes;    // files that could not be read; other arms and cells that were measured
  bool empty() const { return measurements.empty(); }
};

/// What a run was measured to have, by the files in its folder: measures that this program knows in their order, then
/// others, which plug-ins have made.
std::vector<std::string> measured_in(const Path& run);

/// Reads <run folder>/compensation/*.json of the records. `arm` empty: "learned" if it was measured, else the first
/// that was. Empty results where nothing was. A damaged file is no error: it is named in the notes.
CompensationResults collect_compensation(const std::vector<RunRecord>& records, const std::string& arm = "");
/// The same from measurements that are at hand, all of one arm and cell; what is in their details of measure
/// "recovery" becomes the recoveries.
CompensationResults compensation_results(std::vector<Measurement> measurements);

}  // namespace absorb
