// What a GPU's memory holds of a run that it doesn't hold as it is.
#pragma once

#include "studies/plan/run_settings.h"

#include <ATen/core/Tensor.h>

namespace absorb {

/// After a run ran out of memory: tries larger numbers of micro-batches and throws the UserError that names the first
/// one which fits, fp32 losses after training included, or says that none does. The same step, in pieces: only rounding
/// differs.
[[noreturn]] void say_what_fits(const RunSettings& run, int64_t vocabulary, at::Device device, bool fused);

}  // namespace absorb
