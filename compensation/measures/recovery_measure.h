// Running a subject through recovery: every router disturbed, every group around it adapting, at equal dose and equal
// capacity (docs/science.md section 5, item 1). The results and their arithmetic are in recovery.h.
#pragma once

#include <vector>

#include "compensation/measures/measurement.h"
#include "compensation/recovery/recovery.h"
#include "compensation/subject/settings.h"
#include "compensation/subject/subject.h"

namespace absorb {

/// For each router (of `context.layers`, or all):
/// 1. what the whole swap costs over settings.draws draws and settings.sequences held-out sequences, which are doubled
///    up to settings.most_sequences while the relative standard error is above settings.precision and doubling helps it
///    by more than 10 % (a doubling that doesn't is taken back). Within its noise: the shares are undefined, with the
///    figure, and nothing adapts.
/// 2. the dose at which the mean over the draws costs settings.damage, within 2 %.
/// 3. v_l(S) for every group of recovery_groups() at the first of settings.dimensions, and for the seven coalitions at
///    the others; draw d of the disturbance adapts in draw d of the subspace, and so does the undisturbed model that it
///    is compared with.
/// 4. with settings.damage_doublings, the seven coalitions in the first dimension again where every disturbance costs
///    twice as much, four times as much and so on: the curve over the dose, as far as the whole swap costs that much.
/// 5. with settings.random_partitions, the shares of so many random partitions a draw of the players' numbers into
/// parts
///    of the same sizes, in the first dimension: what size alone would give.
///
/// Edges, after the last of settings.steps: from the router to itself, module, rest, every other block, embedding and
/// final, of measure "recovery" in the first dimension; "recovery_unmatched" to module and rest with all coordinates (a
/// dimension of 0 that isn't the first). Where the dose isn't equal, or the first dimension is 0, the first dimension's
/// edges are "recovery_unmatched" and there are no others. Groups that are empty or diverged in every draw give none.
/// details: {"results": [json_of(RecoveryResult)]}.
///
/// UserError for a layer that does not exist, for steps or dimensions that can't be measured, and for a subject without
/// a finite loss. A subject without routers in those layers gives no edges.
Measurement measure_recovery(Subject& subject, const CompensationSettings& settings, const MeasureContext& context);

/// The results in a measurement of recovery; throws nlohmann's exceptions on another one.
std::vector<RecoveryResult> recovery_results(const Measurement& measurement);

void add_recovery(Measures& measures);

}  // namespace absorb
