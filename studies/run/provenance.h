// Where a number came from: what ran, on what, built from what.
#pragma once

#include "studies/folder/records/provenance.h"
#include "training/data/dataset.h"

namespace absorb {

/// UserError where the run in this folder was trained on other data than `data` now is; nothing where it hasn't begun.
void require_same_data(const Path& run, const Dataset& data);

/// What this process is, and that it begins a run now; data and times of training are for the runner to add.
ProvenanceRecord provenance(const std::vector<std::string>& argv, const std::string& device, int64_t threads);
std::string version_line();

}  // namespace absorb
