// The command line in parts: each adds its commands to the app, and says in `chosen` what to run.
#pragma once

#include <functional>

#include "studies/command/commands.h"

namespace CLI {
class App;
}

namespace absorb {

using Command = std::function<int()>;

/// Of pack, unpack and verify.
struct BundleOptions {
  PackCommandOptions pack;
  VerifyOptions verify;
  Path bundle, folder;
};
void add_bundles(CLI::App& app, BundleOptions& options, Command& chosen);

}  // namespace absorb
