#include "studies/run/interrupt.h"

#include <atomic>
#include <csignal>

namespace absorb {
namespace {

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

}  // namespace

void catch_interrupts(bool patient) {
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) std::signal(signal, patient ? note : note_once);
}

bool interrupted() {
  return caught;
}

}  // namespace absorb
