// The first-order prediction of recovery: a step of an optimiser with normalised steps moves every number by the
// learning rate against the sign of its gradient, so that n steps gain n * rate * ||grad||_1 if the gradient stays.
// What coupling and curvature add has to be seen beside this baseline (docs/science.md section 5, item 4). Surprising:
// it is the prediction for a whole swap (dose 1), whatever dose recovery is measured at, and noise in the gradient
// counts as gradient, the more the more numbers a group has; the details have what is left when one half's signs meet
// the other half's gradient.
#pragma once

#include "compensation/measures/measurement.h"

namespace absorb {

/// Directed edges from each router to the disjoint groups around it (recovery_groups: router, module, rest, embedding,
/// other blocks, final), as recovery has them: rate * ||grad_S L_swap||_1 * n in nats per token, n the last of
/// settings.steps, of the full gradient over settings.sequences held-out sequences (fewer if no more are there), mean
/// over settings.draws. Standard error from the norms of the draws and of the two halves of the sequences, crossed
/// (mean_of); samples = draws x sequences. Details: for each edge `halves`, the mean of the two halves' predictions
/// (its excess over the value tells the noise), and `crossed`. UserError for a layer without a router, for fewer than
/// two held-out sequences, and for a gradient that isn't finite. Only context.layers' routers, if it names any.
Measurement measure_first_order(Subject& subject, const CompensationSettings& settings, const MeasureContext& context);

void add_first_order(Measures& measures);

}  // namespace absorb
