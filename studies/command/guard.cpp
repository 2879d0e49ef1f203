#include <c10/util/Exception.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <new>

#include "core/error.h"
#include "core/settings.h"
#include "studies/command/cli_parts.h"
#include "studies/plugin/load.h"

namespace absorb {

// What was printed may not have arrived: a full disk behind `> file` is seen here at the latest.
int printed(int status) {
  std::cout.flush();
  if (std::cout.good() && std::fflush(stdout) == 0) return status;
  std::cerr << "absorb: can't write to standard output: what was printed isn't whole\n";
  return status == exit_done ? static_cast<int>(exit_users_mistake) : status;
}

int failed(const char* text, int status) {
  std::cerr << "absorb: " << text << '\n';
  return status;
}

int guarded(const Command& command, const std::vector<std::string>& plugins) {
  try {
    load_plugins(plugins);
    return command();
  } catch (const UserError& error) {
    return failed(error.what(), exit_users_mistake);
  } catch (const std::filesystem::filesystem_error& error) {
    return failed(one_line(fmt::format("{}: {}", error.path1().string(), error.code().message())).c_str(),
                  exit_users_mistake);
  } catch (const std::bad_alloc&) {
    return failed("out of memory", exit_users_mistake);
  } catch (const c10::Error& error) {
    return failed(one_line(std::string("internal error: ") + error.what_without_backtrace()).c_str(), exit_ours);
  } catch (const std::exception& error) {
    return failed(one_line(std::string("internal error: ") + error.what()).c_str(), exit_ours);
  }
}

// The nearest word of those that the parser knows, for one that it doesn't.
std::string suggestion(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> commands, options;
  const CLI::App* chosen = &app;
  for (const CLI::App* sub : app.get_subcommands({})) commands.push_back(sub->get_name());
  const std::string first = argc > 1 ? argv[1] : "";
  if (std::ranges::count(commands, first) == 0) {
    const std::string near = first.starts_with("-") ? "" : nearest(first, commands);
    return near.empty() ? "" : fmt::format("there is no command \"{}\": did you mean \"{}\"?", first, near);
  }
  chosen = app.get_subcommand(first);
  for (const CLI::Option* option : chosen->get_options({}))
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  for (int i = 2; i < argc; ++i) {
    const std::string word = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
    if (!word.starts_with("--") || std::ranges::count(options, word) > 0) continue;
    const std::string near = nearest(word, options);
    return near.empty() ? "" : fmt::format("there is no option {}: did you mean {}?", word, near);
  }
  return "";
}

}  // namespace absorb
