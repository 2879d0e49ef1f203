#include "studies/run/interrupt.h"

#include <csignal>

namespace absorb {
namespace {

volatile std::sig_atomic_t caught = 0;

void note(int) {
  caught = 1;
}

void note_once(int signal) {
  caught = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

void catch_interrupts(bool patient) {
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) std::signal(signal, patient ? note : note_once);
}

bool interrupted() {
  return caught != 0;
}

}  // namespace absorb
