// What differs between two settings, for people.
#pragma once

#include "core/settings.h"

namespace absorb {

/// One line per key whose value differs between two JSON objects: "training.steps: 100 -> 200".
std::vector<std::string> differences(const Json& before, const Json& after, const std::string& prefix = "");

}  // namespace absorb
