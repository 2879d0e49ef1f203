// Where things lie in a run's folder.
#pragma once

#include <string>

#include "core/files.h"

namespace absorb {

/// <run>/compensation
inline Path compensation_folder(const Path& run) {
  return run / "compensation";
}
/// <run>/compensation/<measure>.json
inline Path measurement_file(const Path& run, const std::string& measure) {
  return compensation_folder(run) / (measure + ".json");
}

}  // namespace absorb
