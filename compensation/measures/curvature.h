// Curvature: does a step of one component change the gradient of another? The Frobenius norm of the block H_jb of
// second derivatives, from products with random directions (docs/science.md section 5, item 4). Surprising: the product
// is taken twice, on two disjoint batches A and B, and the two are multiplied. |H v|^2 from one batch would mostly be
// the noise of that batch, and largest for the component with most numbers; (H_A v) . (H_B v) has no such bias.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "compensation/measures/measurement.h"

namespace absorb {

using at::Tensor;

/// [components, components] double each. value: ((S_bj + S_jb) / 2) / sqrt(S_bb S_jj); NaN where a diagonal isn't above
/// 0. standard_error: jackknife over the probes of b and those of j, which are independent; NaN for one probe.
struct CurvatureStatistic {
  Tensor squared;  // (S_bj + S_jb) / 2, estimates ||H_jb||_F^2 without bias in probes and batches; (nats per token)^2
  Tensor value, standard_error;
};

/// `products`: for each component b [probes, components] double, the inner products (H_A v)_j . (H_B v)_j of each probe
/// v of b; S_bj is their mean over the probes. The same number of probes for all.
CurvatureStatistic curvature_of(std::span<const Tensor> products);

/// Undirected edges between the parts of layers (part_groups), `from` before `to` in their order; samples = probes of
/// both. Directions are random signs. Begins with settings.probes for each component and doubles until
/// settings.precision or most_probes. Every probe has two batches of settings.curvature_sequences of its own, until the
/// held-out sequences are used up and begin again in another order: the errors are those of these sequences, not of
/// other text. Components whose diagonal isn't above 0 get no edges and are named in a note. UserError if there are
/// fewer than two held-out sequences or a product isn't finite.
Measurement measure_curvature(Subject& subject, const CompensationSettings& settings, const MeasureContext& context);

void add_curvature(Measures& measures);

}  // namespace absorb
