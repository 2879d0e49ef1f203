// Times as people read them.
#pragma once

#include <string>

namespace absorb {

/// "1:02:03", "4:05"
std::string clock_text(double seconds);
/// "2026-01-31T12:00:00Z"
std::string utc_now();

}  // namespace absorb
