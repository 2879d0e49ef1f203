// Whether a run's routing leaves the future alone, measured before its first step: types claim it (Router::causal,
// Selection::causal), and a claim that doesn't hold would make every loss of the run worthless. Surprising: what is
// asked is no part of the run but a small twin of it, in double precision on the CPU, so that rounding can't be taken
// for a leak and nothing of the run moves.
#pragma once

#include "studies/plan/run_settings.h"

namespace absorb {

/// Changes what stands after a position, in evaluation and in training, and compares how every site routes the
/// positions up to it and what they lose. UserError that names the site where they change, unless
/// routing.allow_noncausal lets that kind of routing do so.
void require_causal(const RunSettings& run);

}  // namespace absorb
