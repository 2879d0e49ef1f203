// Numbers in the JSON that people's tools read: what does not exist is null.
#pragma once

#include <cmath>
#include <optional>

#include "core/settings.h"
#include "statistics/summary.h"

namespace absorb {

inline Json value(double number) {
  return std::isfinite(number) ? Json(number) : Json(nullptr);
}

inline Json value(const std::optional<Interval>& interval) {
  return interval ? Json::array({value(interval->low), value(interval->high)}) : Json(nullptr);
}

inline Json value(const Summary& summary) {
  return {{"n", summary.n}, {"mean", value(summary.mean)}, {"sd", value(summary.sd)}};
}

}  // namespace absorb
