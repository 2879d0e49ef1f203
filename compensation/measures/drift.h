// Drift: how far apart do two arms of one seed end in each component? Both began at the same numbers, so that a
// component that made up for something has moved away from its twin (docs/science.md section 5, item 5). Surprising:
// two runs of one arm drift apart as well, by nothing but data order and noise, and larger components or larger rates
// drift more; the distance between such A/A arms is therefore the unit. The angle is the one between the two weight
// vectors and not one between subspaces: principal angles need matrices and a rank to cut them at, and the largest of
// them is mostly the noise of directions that carry nothing.
#pragma once

#include <ATen/core/Tensor.h>

#include "compensation/measures/measurement.h"

namespace absorb {

using at::Tensor;

/// |to - from| / |from|, in double; NaN where `from` is 0.
double relative_displacement(const Tensor& from, const Tensor& to);
/// The angle between two vectors in radians, 2 atan2(|u - v|, |u + v|) of unit vectors u and v (Kahan 2006): exact for
/// small angles too, where the inverse cosine isn't. NaN where either is 0.
double angle_between(const Tensor& from, const Tensor& to);

/// Self-loops of the parts of layers (part_groups) that both arms have. Measure "drift": relative displacement from
/// `subject` to context.paired, over that from context.paired to context.same where there is one, otherwise as it is
/// and with a note. Measure "angle": in radians, between subject and context.paired. Errors are not known (NaN: one
/// pair of runs; seeds give them), samples = numbers of the part. Details: all displacements and angles. Without
/// context.paired no edges and one note. Settings don't matter; nothing is cached.
Measurement measure_drift(Subject& subject, const CompensationSettings& settings, const MeasureContext& context);

void add_drift(Measures& measures);

}  // namespace absorb
