// Commands that only look: report, status, list, doctor.
#include <sys/resource.h>
#include <sys/utsname.h>

#include <cmath>
#include <iostream>
#include <thread>

#include "core/device.h"
#include "core/error.h"
#include "core/text/clock.h"
#include "studies/command/commands.h"
#include "studies/command/summary.h"
#include "studies/folder/claim.h"
#include "studies/folder/reference.h"
#include "studies/plan/reference.h"
#include "studies/run/provenance.h"
#include "studies/work/display.h"

namespace absorb {

int report_command(const Path& folder) {
  std::cout << summarise(folder);
  return exit_done;
}

int status_command(const Path& folder) {
  const PlanRecord plan = planned_in(folder);
  std::map<std::string, int64_t> states;
  for (const PlannedRun& run : plan.runs) {
    const RunRecord record = read_record(folder / run.folder);
    ++states[record.state];
    std::string about = record.failure;
    if (record.state == "done") about = fmt::format("val loss {:.4f}, {}", record.val_loss, clock_text(record.seconds));
    if (const auto claim = record.state == "running" ? live_claim(record.folder) : std::nullopt)
      about = fmt::format("step {} of {}, {} left, pid {} on {}", claim->progress.step, claim->progress.steps,
                          clock_text(std::isfinite(claim->progress.seconds_left) ? claim->progress.seconds_left : 0),
                          claim->pid, claim->host);
    if (record.state == "interrupted" && !record.curve.empty())
      about = fmt::format("at step {}", record.curve.back().step);
    std::cout << fmt::format("{:<12}{:<44} {}\n", record.state, run.folder, about);
  }
  std::string line;
  for (const auto& [state, count] : states) line += fmt::format("{}{} {}", line.empty() ? "" : ", ", count, state);
  std::cout << fmt::format("{} runs: {}\n", plan.runs.size(), line);
  return exit_done;
}

int list_command(const std::string& what, bool markdown) {
  if (what == "folder")
    std::cout << (markdown ? folder_page() : folder_text());
  else
    std::cout << (markdown ? settings_page() : list_text(what));
  return exit_done;
}

int doctor_command() {
  utsname system{};
  ::uname(&system);
  const std::string cuda = why_no_cuda();
  std::cout << version_line() << '\n'
            << fmt::format("system      {} {} on {}\n", system.sysname, system.release, system.machine)
            << fmt::format("CPU         {}, {} cores\n", device_name(at::kCPU), std::thread::hardware_concurrency())
            << fmt::format("GPU         {}\n", cuda.empty() ? device_name(at::Device(at::kCUDA, 0)) : "none: " + cuda)
            << fmt::format("disk        {:.1f} GB free here\n", static_cast<double>(free_bytes(".")) / 1e9)
            << fmt::format("corpus      {}\n", std::filesystem::exists("corpora/gcide.txt")
                                                   ? "corpora/gcide.txt"
                                                   : "corpora/gcide.txt is missing: run scripts/setup");
  return exit_done;
}

}  // namespace absorb
