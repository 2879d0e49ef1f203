// Runs the real command as its user would, in a folder that vanishes afterwards.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "core/files.h"

namespace absorb::testing {

struct Result {
  int status = -1;
  std::string out, err;
};

class CommandTest : public ::testing::Test {
 protected:
  CommandTest() {
    std::string name = (std::filesystem::temp_directory_path() / "absorb-test-XXXXXX").string();
    folder = ::mkdtemp(name.data());
  }
  ~CommandTest() override { std::filesystem::remove_all(folder); }

  /// A study of the recall task, small enough for tests: about half a second a run.
  Path study(const std::string& extra = "", const std::string& head = "seeds = [1, 2]", int steps = 60) const {
    const Path file = folder / "study.toml";
    std::ofstream(file)
        << "[study]\nname = \"s\"\ntargets = [\"attention\"]\nmatch = \"none\"\n"
        << head << "\n"
        << "[data]\ntype = \"recall\"\nsequences = 64\n"
        << "[model]\nlayers = 1\nwidth = 32\nheads = 2\ncontext = 32\n"
        << "[training]\nsteps = " << steps << "\nbatch = 8\nwarmup = 5\ncheckpoint_every = 5\nevaluate_every = 20\n"
        << "[routing]\nswap_draws = 2\nrouter = { type = \"bilinear\", rank = 4 }\nselection = { type = \"top_k\", k = "
           "4 }\n"
        << "[[arm]]\nname = \"learned\"\n[[arm]]\nname = \"random\"\nrouting.frozen = true\n"
        << "[[contrast]]\nname = \"gap\"\ntreatment = \"learned\"\ncontrol = \"random\"\nprimary = true\n"
        << extra;
    return file;
  }

  /// A study of the recall task with every target, two layers and the arms learned and random: a second or two.
  Path three_targets(const std::string& more) const {
    const Path file = folder / "study.toml";
    std::ofstream(file) << R"([study]
name = "s"
targets = ["attention", "moe", "both"]
match = "none"
seeds = [1]
[data]
type = "recall"
sequences = 32
[model]
layers = 2
width = 32
heads = 2
context = 32
moe.experts = 4
[training]
steps = 30
batch = 8
warmup = 5
keep_weights = [10]
learning_rate = 1e-2
[routing]
swap_draws = 2
router = { type = "bilinear", rank = 16 }
selection = { type = "soft" }
[[arm]]
name = "learned"
[[arm]]
name = "random"
routing.frozen = true
)" << more;
    return file;
  }

  pid_t start(const std::vector<std::string>& after_command, bool own_group = false) const {
    std::vector<std::string> arguments = {ABSORB_COMMAND};
    for (const std::string& argument : after_command) arguments.push_back(argument);
    const pid_t pid = ::fork();
    if (own_group) ::setpgid(pid, pid);  // in the parent and, below as pid 0, in the child: whichever comes first
    if (pid != 0) return pid;
    std::vector<char*> raw;
    for (std::string& argument : arguments) raw.push_back(argument.data());
    raw.push_back(nullptr);
    const auto redirect = [](const Path& file, int descriptor) {
      ::dup2(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), descriptor);
    };
    redirect(folder / "stdout", STDOUT_FILENO);
    redirect(folder / "stderr", STDERR_FILENO);
    ::execv(raw[0], raw.data());
    ::_exit(127);
  }

  Result wait(pid_t pid) const {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_file(folder / "stdout"),
            read_file(folder / "stderr")};
  }

  Result run(const std::vector<std::string>& arguments) const { return wait(start(arguments)); }

  /// absorb run FILE --runs <folder>/<runs> --device cpu ...
  std::vector<std::string> run_arguments(const Path& file, const std::string& runs = "runs",
                                         const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = {"run",      file.string(), "--runs", (folder / runs).string(),
                                    "--device", "cpu",         "--jobs", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  Path folder;
};

}  // namespace absorb::testing
