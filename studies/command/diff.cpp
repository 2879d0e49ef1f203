// absorb diff: what differs between two runs or two studies.
#include "studies/report/text/diff.h"

#include <iostream>

#include "core/error.h"
#include "studies/command/commands.h"
#include "studies/command/summary.h"

namespace absorb {
namespace {

bool is_study(const Path& folder) {
  require(std::filesystem::is_directory(folder), "{}: there is no such folder", folder.string());
  if (std::filesystem::exists(folder / "study.toml")) return true;
  require(std::filesystem::exists(folder / "settings.json"),
          "{}: is neither a study's folder (no study.toml) nor that of a run that has begun (no settings.json)",
          folder.string());
  return false;
}

}  // namespace

int diff_command(const Path& before, const Path& after) {
  const bool studies = is_study(before);
  require(studies == is_study(after), "{} is a study's folder and {} a run's: compare two of a kind",
          (studies ? before : after).string(), (studies ? after : before).string());
  const auto study = [](const Path& folder) { return StudyRuns{folder, read_records(folder, planned_in(folder))}; };
  std::cout << (studies ? diff_studies(study(before), study(after))
                        : diff_runs(read_record(before), read_record(after)));
  return exit_done;
}

}  // namespace absorb
