#include "studies/work/processes.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "core/error.h"
#include "studies/run/interrupt.h"

extern char** environ;

namespace absorb {
namespace {

pid_t spawn(const std::vector<std::string>& argv) {
  std::vector<char*> raw;
  for (const std::string& argument : argv) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, raw.data(), environ);
  check(error == 0, "a worker process can't be started: {}", std::strerror(error));
  return pid;
}

// What the command's statuses mean (studies/command/commands.h).
constexpr int users_mistake = 2, interrupted_status = 75;

int exit_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

bool died(const WorkerEnd& end) {
  return end.status != 0 && end.status != interrupted_status;
}

std::string to_string(const WorkerEnd& end) {
  if (end.status <= 128) return fmt::format("worker process {} ended with status {}", end.pid, end.status);
  const int signal = end.status - 128;
  return fmt::format("worker process {} was killed by signal {} ({})", end.pid, signal, ::strsignal(signal));
}

int status_of(const std::vector<WorkerEnd>& ends) {
  int status = 0;
  for (const WorkerEnd& end : ends)
    if (died(end)) status = end.status == users_mistake ? users_mistake : std::max(status, 1);
  return status;
}

void pause_between_looks() {
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
}

std::vector<WorkerEnd> run_workers(const std::vector<std::string>& argv, int64_t count,
                                   const std::function<void()>& tick,
                                   const std::function<void(const WorkerEnd&)>& ended) {
  std::vector<pid_t> workers;
  std::vector<WorkerEnd> ends;
  name_parent();
  for (int64_t i = 0; i < count; ++i) workers.push_back(spawn(argv));
  bool passed_on = false;
  while (!workers.empty()) {
    if (interrupted() && !passed_on) {
      for (const pid_t worker : workers) ::kill(worker, SIGTERM);
      passed_on = true;
    }
    std::erase_if(workers, [&](pid_t worker) {
      int status = 0;
      if (::waitpid(worker, &status, WNOHANG) != worker) return false;
      ends.push_back({worker, exit_status(status)});
      ended(ends.back());
      return true;
    });
    tick();
    pause_between_looks();
  }
  return ends;
}

}  // namespace absorb
