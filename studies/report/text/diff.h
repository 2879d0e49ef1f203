// What differs between two runs, or between two studies: settings, where the numbers came from, and the loss.
// Everything is read from the run folders, as they were trained. Surprising: differences are B - A, as the settings
// read A -> B; contrasts have the other sign.
#pragma once

#include <string>
#include <vector>

#include "studies/folder/record.h"

namespace absorb {

/// The difference in valid loss has its paired 95 % interval over documents (statistics/documents.h), of these two runs
/// alone. UserError where one isn't done.
std::string diff_runs(const RunRecord& a, const RunRecord& b);

struct StudyRuns {
  Path folder;
  std::vector<RunRecord> records;
};
/// The settings and the provenance that differ between runs of the same arm, target, cell and seed, and for each arm,
/// target and cell the difference in valid loss, paired over the seeds that are done in both, with its 95 % t interval
/// over seeds. What is only in one of them, or not done, is named. UserError where no pair is done.
std::string diff_studies(const StudyRuns& a, const StudyRuns& b);

/// settings.json against settings.json: "training.steps: 100 -> 200".
std::vector<std::string> settings_differences(const RunRecord& a, const RunRecord& b);
/// run.json against run.json, without what differs from run to run anyway: command line, times, tokens, memory.
std::vector<std::string> provenance_differences(const RunRecord& a, const RunRecord& b);

}  // namespace absorb
