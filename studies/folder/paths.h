// Where things lie in a study's and a run's folder.
#pragma once

#include <algorithm>
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

/// Whether a path that a file names stays inside the folder that it is meant to lie in: relative, without dots.
inline bool is_inside(const std::string& name) {
  const Path path(name);
  return !name.empty() && path.is_relative() && !path.filename().empty() &&
         std::none_of(path.begin(), path.end(), [](const Path& part) { return part == ".." || part == "."; });
}
/// Whether DONE closes the run in this folder.
bool is_done(const Path& run);
/// Whether DONE or FAILED closes the run in this folder.
bool has_ended(const Path& run);
/// UserError where it isn't finished.
void require_done(const Path& run);
/// UserError where a finished run came out of a bundle without its weights; `why`: what needs them.
void require_weights(const Path& run, const std::string& why);
/// This machine's name, as claims, logs and provenance give it.
std::string host_name();

}  // namespace absorb
