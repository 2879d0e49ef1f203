// Ctrl-C, SIGTERM and SIGUSR1 (what Slurm sends before its limit): finish the step, write a checkpoint, say how to go
// on. Until then studies/command/main.cpp has them.
#pragma once

namespace absorb {

/// Catches the three signals from now on. A second one of the same kind ends the process as usual, but not where
/// `patient`: a worker is told twice when a signal goes to its whole process group, once by its parent.
void catch_interrupts(bool patient = false);
bool interrupted();
/// Names this process to the workers that it starts, so that they see when it is no longer their parent.
void name_parent();

}  // namespace absorb
