// Progress on standard error: a bar that redraws itself on a terminal, plain lines now and then elsewhere.
#pragma once

#include <chrono>
#include <limits>
#include <string>
#include <vector>

namespace absorb {

struct ActiveRun {
  std::string name;  // all that is shown where steps = 0
  int64_t step = 0, steps = 0;
  double loss = 0, tokens_per_second = 0, seconds_left = 0;
};

/// Columns of the terminal that standard error is, less the last, in which some wrap; COLUMNS or 80 where it says none.
std::size_t terminal_width();
/// What fits into `width` columns; what doesn't ends with "...".
std::string clipped(const std::string& line, std::size_t width);

/// How far a study is.
struct StudyProgress {
  std::vector<ActiveRun> active;
  int64_t closed = 0, total = 0;
  double seconds_left = 0;  // of the whole; NaN: not known yet
};
/// One line of at most `width` columns: each run with its loss and speed, or where that is too much its name and
/// percentage, or how many there are.
std::string progress_line(const StudyProgress& study, std::size_t width = std::numeric_limits<std::size_t>::max());

class Display {
 public:
  /// `total` runs, of which `closed` were finished before we came.
  Display(int64_t total, int64_t closed);
  ~Display();
  Display(const Display&) = delete;
  Display& operator=(const Display&) = delete;

  void update(const std::vector<ActiveRun>& active, int64_t closed);
  /// A line that stays.
  void say(const std::string& line);

 private:
  double study_seconds_left(const std::vector<ActiveRun>& active, int64_t closed) const;
  void clear();
  int64_t total_, closed_at_start_;
  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point start_, last_;
};

}  // namespace absorb
