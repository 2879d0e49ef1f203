// The component graph: recovery for every component, not for routers alone. Each part of each layer is disturbed until
// it costs what every disturbance ought to cost, and each part adapts to it in a subspace of the same dimension.
#pragma once

#include "compensation/measures/measurement.h"
#include "compensation/subject/settings.h"
#include "compensation/subject/subject.h"

namespace absorb {

/// i -> j for all i, j of part_groups(), itself among them: how much of i's damage j makes up for in the first of
/// settings.dimensions after the last of settings.steps, over settings.component_draws draws and settings.sequences
/// held-out sequences; edges of measure "components". With `context.layers`, i is a part of those layers.
///
/// A router is disturbed in a share of its items, at most all; any other part by noise of at most 10 times its root
/// mean square. The dose costs settings.damage (0.02 nats per token where that is 0) within 2 %. An i that can't cost
/// so much, or whose largest disturbance is within its noise over sequences, is undefined: a note with the figure, and
/// no edges.
///
/// details: {"damage", "dimension", "steps", "draws", "sequences", "disturbed": [{"name", "dose", "nats",
/// "standard_error"}], "diverged": [{"group": "1.q by 2.k", "dimension", "draw"}]}. UserError as measure_recovery().
Measurement measure_components(Subject& subject, const CompensationSettings& settings, const MeasureContext& context);

void add_components(Measures& measures);

}  // namespace absorb
