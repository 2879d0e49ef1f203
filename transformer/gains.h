// What each expert would be worth to each token: the preference that experts have instead of QK^T (science.md section
// 3).
#pragma once

#include "transformer/model.h"

namespace absorb {

/// First-order expected gain -dL/dy . (y_e - y) in nats, L the summed loss of the batch, y the layer's output under
/// `routes` and y_e that of expert e alone: [B,T,E] for every layer of experts. Leaves parameters and their gradients
/// alone; the pass is one of evaluation (no dropout).
std::map<Site, Tensor> expected_gains(const Model& model, const Tensor& tokens, const Tensor& targets,
                                      const Routes& routes, const Pass& pass);

/// How well the expected gain foretells what really happens: `swaps` single tokens at `site`, each given to one expert
/// alone while all else stays, against the exact change of the loss. The correlation of the two over the swaps; NaN
/// where either doesn't vary.
double gain_correlation(const Model& model, const Tensor& tokens, const Tensor& targets, const Routes& routes,
                        const Site& site, int64_t swaps, const Pass& pass);

}  // namespace absorb
