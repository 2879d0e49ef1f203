// Loading plug-ins (studies/plugin/plugin.h). What is loaded stays until the program ends. A study names its own, and
// planning it loads them (studies/plan/plan.h); the command loads those of --plugin. All of it happens before any
// thread starts: see core/registry.h.
#pragma once

#include <string>
#include <vector>

#include "core/files.h"

namespace absorb {

struct LoadedPlugin {
  Path file;         // absolute
  std::string hash;  // of its bytes
};

/// Loads a plug-in and registers its types; a file with the bytes of one that is loaded already is passed over.
/// UserError for a file that isn't there, lacks the entry, was built against another version, can't be loaded, or
/// registers a name that is taken; then no type of it is registered.
void load_plugin(const Path& file);
void load_plugins(const std::vector<std::string>& files);

/// In the order in which they were loaded.
const std::vector<LoadedPlugin>& loaded_plugins();

/// Copies every loaded plug-in to <folder>/plugins/<name>-<hash>.so, so that the folder works wherever it is moved and
/// whatever becomes of the original. Returns the copies' paths relative to `folder`.
std::vector<std::string> keep_plugins(const Path& folder);

}  // namespace absorb
