// What a study said beforehand that it would test: <study>/analysis.lock.
#pragma once

#include "studies/study/study.h"

namespace absorb {

/// Writes <study>/analysis.lock before the first step: names and margins of the contrasts. Later contrasts aren't
/// added. Returns the names in the lock.
std::vector<std::string> lock_analysis(const Study& study, const Path& folder);
/// The names in an existing lock; empty when there is none.
std::vector<std::string> locked_contrasts(const Path& folder);

}  // namespace absorb
