// Ctrl-C, SIGTERM and SIGUSR1 (what Slurm sends before its limit): finish the step, write a checkpoint, say how to go
// on.
#pragma once

namespace absorb {

/// Catches the three signals from now on. A second one of the same kind ends the process as usual, but not where
/// `patient`: a worker is told twice when a signal goes to its whole process group, once by its parent.
void catch_interrupts(bool patient = false);
bool interrupted();

}  // namespace absorb
