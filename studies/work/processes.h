// Worker processes of this very program, which share work by claiming it (studies/folder/claim.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace absorb {

struct WorkerEnd {
  int pid = 0;
  int status = 0;  // 128 + signal where it was killed
};
/// Whether a worker was cut off, or stopped by an error: it neither finished (0) nor was interrupted (75).
bool died(const WorkerEnd& end);
/// "worker process 123 was killed by signal 9 (Killed)", "worker process 123 ended with status 1"
std::string to_string(const WorkerEnd& end);

/// Starts `count` processes with this command line (argv[0] included), calls `tick` every 300 ms until all have ended,
/// `ended` for each that does, and passes an interruption on to them once. Returns how they ended.
std::vector<WorkerEnd> run_workers(const std::vector<std::string>& argv, int64_t count,
                                   const std::function<void()>& tick,
                                   const std::function<void(const WorkerEnd&)>& ended);
/// The status of a command whose workers left something undone: a dead one's, where that is the user's to mend (2),
/// else 1; 0 where none died.
int status_of(const std::vector<WorkerEnd>& ends);

/// Waits as long as one tick.
void pause_between_looks();

}  // namespace absorb
