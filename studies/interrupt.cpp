#include "studies/interrupt.h"

#include <csignal>

namespace absorb {
namespace {

volatile std::sig_atomic_t caught = 0;

void note(int signal) {
  caught = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

void catch_interrupts() {
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) std::signal(signal, note);
}

bool interrupted() {
  return caught != 0;
}

}  // namespace absorb
