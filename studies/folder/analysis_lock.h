// What a study said beforehand that it would test: <study>/analysis.lock.
#pragma once

#include "studies/folder/fields/record_fields.h"
#include "studies/study/study.h"

namespace absorb {

struct LockRecord {
  std::vector<ContrastSpec> contrasts;
};
void fields(RecordFields& list, LockRecord& lock);
void fields(RecordFields& list, ContrastSpec& contrast);

/// Writes <study>/analysis.lock before the first step: names and margins of the contrasts. Later contrasts aren't
/// added. Returns the names in the lock.
std::vector<std::string> lock_analysis(const Study& study, const Path& folder);
/// The names in an existing lock; empty when there is none.
std::vector<std::string> locked_contrasts(const Path& folder);

}  // namespace absorb
