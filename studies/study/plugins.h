// Where the plug-ins of a study file lie.
#pragma once

#include "core/settings.h"

namespace absorb {

/// Makes the paths of study.plugins absolute: they are relative to the file that says them, also where another file
/// extends that one. UserError for anything but an array of strings.
void place_plugins(Settings& tables, const Path& file);

}  // namespace absorb
