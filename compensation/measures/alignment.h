// Alignment: does the router send an expert what that expert listens to? For a token that an expert serves, the
// router's direction for it and the expert's first weights get gradients along the same x, so that the two grow alike
// where the router learns (arXiv:2605.12476), and a frozen random one is met by its experts, if at all, halfway
// (docs/science.md section 5, item 8). Surprising: any direction lies in part in any subspace, so that a share means
// nothing without the share of a random direction, which is taken off here.
#pragma once

#include <ATen/core/Tensor.h>

#include "compensation/measures/measurement.h"

namespace absorb {

using at::Tensor;

/// How many of an expert's right singular vectors are its subspace: an eighth of the width, at least 1, and no more
/// than its hidden numbers. A part of the width, so that chance is about the same in every model.
int64_t subspace_rank(int64_t hidden, int64_t width);
/// The share of a random direction's squared norm, from the normal distribution, that lies in a subspace of `rank`
/// dimensions of `width`: a Beta(rank / 2, (width - rank) / 2), of mean rank / width.
struct Chance {
  double mean = 0, sd = 0;
};
Chance chance_of(int64_t rank, int64_t width);
/// directions [E,D], inputs [E,F,D] double -> [E] in [0, 1]: of the squared norm of each direction, the share within
/// the span of its expert's first `rank` right singular vectors. NaN where the direction is 0.
Tensor subspace_shares(const Tensor& directions, const Tensor& inputs, int64_t rank);
/// a, b [E,N] -> [E]: Pearson's correlation of each row with its twin; NaN where either doesn't vary.
Tensor row_correlations(const Tensor& a, const Tensor& b);

/// One edge from each router of experts to its experts, of the layers in context.layers, or of all. Measure
/// "alignment": subspace_shares less chance, the mean over experts; 0 is what a random direction has. Measure
/// "response": the correlation over held-out tokens of an expert's score with the norm of its activations, the mean
/// over experts; 0 for a random direction on average. Standard error over experts (NaN for one), samples = experts.
/// Reads settings.sequences held-out sequences; nothing is cached. Details by layer: rank, chance and its sd, both
/// numbers of every expert. Notes where there is no routed layer of experts, and where a router doesn't read its input.
/// UserError for a layer that isn't there and for numbers that aren't finite.
Measurement measure_alignment(Subject& subject, const CompensationSettings& settings, const MeasureContext& context);

void add_alignment(Measures& measures);

}  // namespace absorb
