#include "studies/work/processes.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

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

int exit_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

void pause_between_looks() {
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
}

std::vector<int> run_workers(const std::vector<std::string>& argv, int64_t count, const std::function<void()>& tick) {
  std::vector<pid_t> workers;
  std::vector<int> statuses;
  for (int64_t i = 0; i < count; ++i) workers.push_back(spawn(argv));
  bool passed_on = false;
  while (!workers.empty()) {
    if (interrupted() && !passed_on) {
      for (const pid_t worker : workers) ::kill(worker, SIGTERM);
      passed_on = true;
    }
    std::erase_if(workers, [&statuses](pid_t worker) {
      int status = 0;
      if (::waitpid(worker, &status, WNOHANG) != worker) return false;
      statuses.push_back(exit_status(status));
      return true;
    });
    tick();
    pause_between_looks();
  }
  return statuses;
}

}  // namespace absorb
