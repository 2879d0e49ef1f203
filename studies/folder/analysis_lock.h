// What a study said beforehand that it would test: <study>/analysis.lock.
#pragma once

#include "studies/folder/fields/record_fields.h"
#include "studies/study/study.h"

namespace absorb {

struct LockRecord {
  std::vector<ContrastSpec> contrasts;
  std::vector<std::string> claims = {};  // their sentences
};
void fields(RecordFields& list, LockRecord& lock);
void fields(RecordFields& list, ContrastSpec& contrast);

/// What a lock holds by name.
struct Locked {
  std::vector<std::string> contrasts, claims;
};
/// Writes <study>/analysis.lock before the first step: names and margins of the contrasts, sentences of the
/// claims. Later ones aren't added. Returns what is in the lock.
Locked lock_analysis(const Study& study, const Path& folder);
/// What an existing lock holds; empty when there is none.
Locked locked_in(const Path& folder);

}  // namespace absorb
