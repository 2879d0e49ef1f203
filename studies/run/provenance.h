// Where a number came from: what ran, on what, built from what.
#pragma once

#include "core/settings.h"

namespace absorb {

/// plug-ins, version, commit and dirty flag, argv, hash of the binary, LibTorch, CUDA and driver, device, CPU, threads,
/// host, time.
Json provenance(const std::vector<std::string>& argv, const std::string& device, int64_t threads);
std::string version_line();

}  // namespace absorb
