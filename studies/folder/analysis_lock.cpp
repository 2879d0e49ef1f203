#include "studies/folder/analysis_lock.h"

#include "studies/folder/fields/settings_fields.h"

namespace absorb {

std::vector<std::string> locked_contrasts(const Path& folder) {
  const Path file = folder / "analysis.lock";
  std::vector<std::string> names;
  if (!std::filesystem::exists(file)) return names;
  for (const ContrastSpec& contrast : read_record<LockRecord>(file).contrasts) names.push_back(contrast.name);
  return names;
}

std::vector<std::string> lock_analysis(const Study& study, const Path& folder) {
  if (!std::filesystem::exists(folder / "analysis.lock")) {
    make_folder(folder);
    write_record(folder / "analysis.lock", LockRecord{study.contrasts});
  }
  return locked_contrasts(folder);
}

void fields(RecordFields& list, ContrastSpec& contrast) {
  walk_settings(list, [&contrast](Fields& settings) { fields(settings, contrast); });
}

void fields(RecordFields& list, LockRecord& lock) {
  nested(list, "contrasts", lock.contrasts, "As they were before the first step; later ones are exploratory.");
}

}  // namespace absorb
