// What the input of a router says of a label, by a linear probe: fitted on one part of the observations, asked about
// the others. What it reads is a lower bound of what the input holds, which a router that isn't linear may exceed.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace absorb {

using at::Tensor;

/// Both probes are one ridge regression in double, so that they are deterministic: of the features, centred and of unit
/// variance on the part that is fitted, on the label's indicators, centred. lambda = F / n, which is the best for
/// independent features that explain half of the variance (Hoerl and Kennard 1970: error variance over that of a
/// weight). `features` [n,F], `fit` [n] bool; the results are int64, one for every observation with `fit` false, in
/// their order. InternalError where either part is empty.

/// The label 0 ... kinds - 1 with the largest regressed indicator. `labels` [n] int64.
Tensor probed_labels(const Tensor& features, const Tensor& labels, int64_t kinds, const Tensor& fit);

/// Whether an observation is kept, 0 or 1. Features and labels (0 or 1) are centred by stratum, so that only what
/// differs within one is learned. Then each stratum keeps those of the highest value, as many of them as the label's
/// share among the fitted says: an argmax would keep none where a label is rare. `labels`, `strata` [n] int64.
Tensor probed_kept(const Tensor& features, const Tensor& labels, const Tensor& strata, const Tensor& fit);

}  // namespace absorb
