// Knock-out: when one part that writes to the residual stream is ablated, which later ones write more, or less, towards
// the right token? Repair without any training (docs/science.md section 5, item 6; McGrath et al. 2023). Surprising:
// the final norm's scale stays that of the whole model, since a missing part alone makes the norm scale up all others,
// which fakes up to 30 % of such repair; and an ablated part writes its mean, not 0, over the sequences of the same
// chunk.
#pragma once

#include "compensation/measures/measurement.h"

namespace absorb {

/// Directed edges from each of Subject::writers() to each later one: the mean over held-out sequences of the change of
/// its direct effect, ablated - clean, in logits; above 0: it makes up for the ablated one. Standard error over
/// sequences, samples = sequences. Reads them in chunks of settings.sequences, as many as there are doublings until
/// settings.precision (of edges above their noise) or most_sequences. Details for each writer: its clean direct effect,
/// what ablation removes of it (clean - ablated), and the repaired share = sum of the changes of all later writers /
/// what was removed, null where that is within its noise. UserError where a direct effect isn't finite.
Measurement measure_knock_out(Subject& subject, const CompensationSettings& settings, const MeasureContext& context);

void add_knock_out(Measures& measures);

}  // namespace absorb
