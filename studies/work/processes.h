// Worker processes of this very program, which share work by claiming it (studies/folder/claim.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace absorb {

/// Starts `count` processes with this command line (argv[0] included), calls `tick` every 300 ms until all have ended,
/// and passes an interruption on to them once. Returns their exit statuses; 128 + signal where one was killed.
std::vector<int> run_workers(const std::vector<std::string>& argv, int64_t count, const std::function<void()>& tick);

/// Waits as long as one tick.
void pause_between_looks();

}  // namespace absorb
