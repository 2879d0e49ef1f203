#include "studies/folder/analysis_lock.h"

#include "studies/folder/fields/settings_fields.h"

namespace absorb {

Locked locked_in(const Path& folder) {
  const Path file = folder / "analysis.lock";
  Locked locked;
  if (!std::filesystem::exists(file)) return locked;
  const auto lock = read_record<LockRecord>(file);
  for (const ContrastSpec& contrast : lock.contrasts) locked.contrasts.push_back(contrast.name);
  locked.claims = lock.claims;
  return locked;
}

Locked lock_analysis(const Study& study, const Path& folder) {
  if (!std::filesystem::exists(folder / "analysis.lock")) {
    LockRecord lock{study.contrasts};
    for (const ClaimSpec& claim : study.claims) lock.claims.push_back(claim.says);
    make_folder(folder);
    write_record(folder / "analysis.lock", lock);
  }
  return locked_in(folder);
}

void fields(RecordFields& list, ContrastSpec& contrast) {
  walk_settings(list, [&contrast](Fields& settings) { fields(settings, contrast); });
}

void fields(RecordFields& list, LockRecord& lock) {
  nested(list, "contrasts", lock.contrasts, "As they were before the first step; later ones are exploratory.");
  list.field("claims", lock.claims, About("Sentences stated before the first step.").optional());
}

}  // namespace absorb
