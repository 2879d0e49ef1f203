#include "studies/run/interrupt.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>

namespace absorb {
namespace {

constexpr std::array signals = {SIGINT, SIGTERM, SIGUSR1};
constexpr const char* parent_variable = "ABSORB_PARENT";

// Set by a handler, read by every thread.
std::atomic<bool> caught = false;
static_assert(std::atomic<bool>::is_always_lock_free);

void note(int) {
  caught = true;
}

void note_once(int signal) {
  caught = true;
  std::signal(signal, SIG_DFL);
}

// Whether the parent was gone before this process asked to be told of its death.
bool is_orphan() {
  const char* parent = std::getenv(parent_variable);
  return parent != nullptr && std::strtol(parent, nullptr, 10) != ::getppid();
}

}  // namespace

void catch_interrupts(bool patient) {
  for (const int signal : signals) std::signal(signal, patient ? note : note_once);
  if (patient && is_orphan()) caught = true;
}

bool interrupted() {
  return caught;
}

void name_parent() {
  ::setenv(parent_variable, std::to_string(::getpid()).c_str(), 1);
}

}  // namespace absorb
