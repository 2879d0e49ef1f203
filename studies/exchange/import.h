// A Hugging Face folder as a run's folder, which every command that reads a finished run takes.
#pragma once

#include "studies/pretrained/pretrained.h"
#include "studies/run/live_run.h"

namespace absorb {

/// The settings of a run that would train this model.
RunSettings settings_of(const Architecture& architecture);

/// Its weights into a live run of these settings.
void load_pretrained(const LiveRun& run, const PretrainedModel& model);

struct ImportResult {
  std::string family;
  int64_t parameters = 0;
  std::string hash;
};
/// Writes `to`, a new folder: settings, weights (float), carried_files, checksums, DONE. One tensor is in memory at a
/// time. UserError where `to` exists.
ImportResult import_model(const Path& from, const Path& to, const std::vector<std::string>& argv);

}  // namespace absorb
