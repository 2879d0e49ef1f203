#include "studies/work/display.h"

#include "core/clock.h"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace absorb {
namespace {

std::string bar(double done, int width) {
  const int full = static_cast<int>(std::lround(std::clamp(done, 0.0, 1.0) * width));
  return std::string(static_cast<std::size_t>(full), '#') + std::string(static_cast<std::size_t>(width - full), '.');
}

}  // namespace

Display::Display(int64_t total, int64_t closed)
    : total_(total),
      closed_at_start_(closed),
      terminal_(::isatty(STDERR_FILENO) != 0),
      start_(std::chrono::steady_clock::now()),
      last_(start_ - std::chrono::hours(1)) {}

Display::~Display() {
  clear();
}

void Display::clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

void Display::say(const std::string& line) {
  clear();
  std::fprintf(stderr, "%s\n", line.c_str());
}

double Display::study_seconds_left(const std::vector<ActiveRun>& active, int64_t closed) const {
  double done = static_cast<double>(closed - closed_at_start_);
  for (const ActiveRun& run : active)
    done += run.steps > 0 ? static_cast<double>(run.step) / static_cast<double>(run.steps) : 0;
  if (done <= 0) return NAN;
  const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  return elapsed * (static_cast<double>(total_ - closed_at_start_) - done) / done;
}

void Display::update(const std::vector<ActiveRun>& active, int64_t closed) {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < (terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(20000))) return;
  last_ = now;
  const double left = study_seconds_left(active, closed);
  double done = static_cast<double>(closed);
  std::string runs;
  for (const ActiveRun& run : active) {
    if (run.steps == 0) {  // a finished run under a deployment
      runs += "  " + run.name;
      continue;
    }
    done += static_cast<double>(run.step) / static_cast<double>(run.steps);
    runs += fmt::format("  {} {}/{} loss {:.3f} {:.1f}k tok/s, {} left", run.name, run.step, run.steps, run.loss,
                        run.tokens_per_second / 1000, clock_text(run.seconds_left));
  }
  const std::string line = fmt::format("[{}] {}/{} runs{}  study {} left", bar(done / static_cast<double>(total_), 20),
                                       closed, total_, runs, std::isnan(left) ? "?" : clock_text(left));
  if (terminal_) {
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    std::fflush(stderr);
    drawn_ = true;
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
}

}  // namespace absorb
