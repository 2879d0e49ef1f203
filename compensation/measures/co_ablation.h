// Co-ablation: which parts back each other up? A backup is silent while what it backs up is there, so that taking it
// away alone costs nothing and every single ablation calls it useless. What it is worth shows once the other is gone
// (docs/science.md section 5, item 7; conditional co-ablation, arXiv:2607.01940, there in a metric of the outputs and
// given a chosen set, here in the loss and for every pair). Surprising: in the loss this is the same number for both
// ends, although only the later of the two can have stepped in.
#pragma once

#include "compensation/measures/measurement.h"

namespace absorb {

/// Undirected edges between every two of Subject::writers(), of which at least one is in context.layers where any are
/// named: w = [L(i and j ablated) - L(i ablated)] - [L(j ablated) - L()], the mean over held-out sequences in nats per
/// token. Above 0: each matters more once the other is gone, so that they back each other up; below 0: each matters
/// less, as links of one chain do; 0: neither knows of the other. Ablated as in knock_out: a writer writes its mean
/// over the sequences of the same chunk, that of the whole model in a pair, too. n + n (n - 1) / 2 evaluations and one
/// of the whole model for n writers. Standard error over sequences, samples = sequences. Reads them in chunks of
/// settings.sequences until settings.precision (of edges above their noise) or most_sequences. Details: the loss of the
/// whole model and what each writer costs alone. UserError where a loss isn't finite, and for a layer that isn't there.
Measurement measure_co_ablation(Subject& subject, const CompensationSettings& settings, const MeasureContext& context);

void add_co_ablation(Measures& measures);

}  // namespace absorb
