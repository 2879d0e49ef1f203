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
/// Runs a command; every exception ends as one line on the error stream and the exit status that it stands for.
int guarded(const Command& command, const std::vector<std::string>& plugins);
/// Says so and gives the status.
int failed(const char* text, int status);
/// The status, or 2 where what was printed couldn't be written.
int printed(int status);
/// "there is no command "rnu": did you mean "run"?" for a line that the parser refuses; empty where nothing is near.
std::string suggestion(const CLI::App& app, int argc, char** argv);
/// Of import, export and evaluate.
struct ExchangeOptions {
  ImportOptions import;
  ExportOptions out;
  EvaluateOptions evaluate;
};
void add_exchange(CLI::App& app, ExchangeOptions& options, Command& chosen);
void add_bundles(CLI::App& app, BundleOptions& options, Command& chosen);

}  // namespace absorb
