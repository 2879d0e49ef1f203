#include "studies/work/display.h"

#include "core/text/clock.h"

#include <fmt/format.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace absorb {
namespace {

std::string bar(double done, int width) {
  const int full = static_cast<int>(std::lround(std::clamp(done, 0.0, 1.0) * width));
  return std::string(static_cast<std::size_t>(full), '#') + std::string(static_cast<std::size_t>(width - full), '.');
}

double share_done(const ActiveRun& run) {
  return run.steps > 0 ? static_cast<double>(run.step) / static_cast<double>(run.steps) : 0;
}

// A run of no steps is a finished one under a deployment.
std::string in_full(const ActiveRun& run) {
  if (run.steps == 0) return "  " + run.name;
  return fmt::format("  {} {}/{} loss {:.3f} {:.1f}k tok/s, {} left", run.name, run.step, run.steps, run.loss,
                     run.tokens_per_second / 1000, clock_text(run.seconds_left));
}

std::string in_short(const ActiveRun& run) {
  if (run.steps == 0) return "  " + run.name;
  return fmt::format("  {} {:.0f}%", run.name, 100 * share_done(run));
}

}  // namespace

std::size_t terminal_width() {
  winsize size{};
  std::size_t columns = 80;
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    columns = size.ws_col;
  else if (const char* stated = std::getenv("COLUMNS"); stated != nullptr && std::atoi(stated) > 0)
    columns = static_cast<std::size_t>(std::atoi(stated));
  return std::max<std::size_t>(columns, 2) - 1;
}

std::string clipped(const std::string& line, std::size_t width) {
  if (line.size() <= width) return line;
  return width < 3 ? line.substr(0, width) : line.substr(0, width - 3) + "...";
}

std::string progress_line(const StudyProgress& study, std::size_t width) {
  double done = static_cast<double>(study.closed);
  std::string full, brief;
  for (const ActiveRun& run : study.active) {
    done += share_done(run);
    full += in_full(run);
    brief += in_short(run);
  }
  const std::string head =
      fmt::format("[{}] {}/{} runs", bar(done / static_cast<double>(study.total), 20), study.closed, study.total);
  const std::string tail =
      fmt::format("  study {} left", std::isnan(study.seconds_left) ? "?" : clock_text(study.seconds_left));
  for (const std::string& runs : {full, brief, fmt::format("  {} at work", study.active.size())})
    if (const std::string line = head + runs + tail; line.size() <= width) return line;
  return clipped(fmt::format("{}/{} runs{}", study.closed, study.total, tail), width);
}

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
  for (const ActiveRun& run : active) done += share_done(run);
  if (done <= 0) return NAN;
  const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  return elapsed * (static_cast<double>(total_ - closed_at_start_) - done) / done;
}

void Display::update(const std::vector<ActiveRun>& active, int64_t closed) {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < (terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(20000))) return;
  last_ = now;
  const StudyProgress progress{active, closed, total_, study_seconds_left(active, closed)};
  if (terminal_) {
    std::fprintf(stderr, "\r\033[K%s", progress_line(progress, terminal_width()).c_str());
    std::fflush(stderr);
    drawn_ = true;
  } else {
    std::fprintf(stderr, "%s\n", progress_line(progress).c_str());
  }
}

}  // namespace absorb
