// absorb verify --rerun: a finished run trained once more, and held against what it left, to the bit.
#pragma once

#include "studies/command/commands.h"

namespace absorb {

/// UserError where there is no such finished run, or nothing to train it from. exit_some_failed where it differs.
int rerun(const VerifyOptions& options);

}  // namespace absorb
