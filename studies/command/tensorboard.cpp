#include "training/tensorboard.h"

#include <iostream>

#include "core/error.h"
#include "studies/command/commands.h"
#include "studies/command/summary.h"

namespace absorb {

int tensorboard_command(const Path& folder) {
  int64_t written = 0;
  const PlanRecord plan = planned_in(folder);
  for (const PlannedRun& run : plan.runs) written += write_tensorboard(folder / run.folder) > 0 ? 1 : 0;
  require(written > 0, "{}: no run has metrics yet: train with `absorb run` first", folder.string());
  std::cout << fmt::format("{} of {} runs written; look at them with: tensorboard --logdir {}\n", written,
                           plan.runs.size(), folder.string());
  return exit_done;
}

}  // namespace absorb
