// <study>/absorb.log: what ran when, and what was odd, of every process that worked on the study, on whatever machine.
// Each line is appended in one write, so that lines of several processes don't mix. What people are told stays on the
// terminal; this is for looking up afterwards.
#pragma once

#include <memory>
#include <string>

#include "core/files.h"

namespace absorb {

class StudyLog {
 public:
  /// Logs nothing.
  StudyLog() = default;
  /// Appends to <study>/absorb.log. A file that can't be opened or written is no reason to stop: nothing is logged
  /// then.
  explicit StudyLog(const Path& study);
  /// One line: time (UTC), host, process, and the text with its line breaks written as \n. From any thread.
  void info(const std::string& text) const;
  void warning(const std::string& text) const;

 private:
  struct Sink;
  std::shared_ptr<Sink> sink_;
};

}  // namespace absorb
