// Ctrl-C, SIGTERM and SIGUSR1 (what Slurm sends before its limit): finish the step, write a checkpoint, say how to go
// on.
#pragma once

namespace absorb {

/// Catches the three signals from now on; a second one of the same kind ends the process as usual.
void catch_interrupts();
bool interrupted();

}  // namespace absorb
