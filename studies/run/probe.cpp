#include "studies/run/probe.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"

namespace absorb {
namespace {

/// The rows of x where `mask` is true.
Tensor rows(const Tensor& x, const Tensor& mask) {
  return x.index_select(0, mask.nonzero().squeeze(1));
}

/// [n,F] less the mean of its row's stratum.
Tensor centred(const Tensor& x, const Tensor& strata) {
  const int64_t count = strata.max().item<int64_t>() + 1;
  const Tensor sums = at::zeros({count, x.size(1)}, x.options()).index_add_(0, strata, x);
  const Tensor sizes = at::bincount(strata, {}, count).to(x.options()).clamp_min(1).unsqueeze(1);
  return x - (sums / sizes).index_select(0, strata);
}

/// [F,C]: what predicts y [n,C] from x [n,F], both centred.
Tensor ridge(const Tensor& x, const Tensor& y) {
  const int64_t features = x.size(1);
  const Tensor sd = x.square().mean(0).sqrt();
  const Tensor scale = at::where(sd > 1e-9, sd, at::ones_like(sd)).unsqueeze(1);  // a constant says nothing
  const Tensor unit = x / scale.t();
  const Tensor penalty = at::eye(features, x.options()) * static_cast<double>(features);  // n lambda
  return at::linalg_solve(at::mm(unit.t(), unit) + penalty, at::mm(unit.t(), y)) / scale;
}

void check_parts(const Tensor& fit) {
  check(fit.any().item<bool>() && !fit.all().item<bool>(), "[probe] needs observations to fit and others to ask about");
}

}  // namespace

Tensor probed_labels(const Tensor& features, const Tensor& labels, int64_t kinds, const Tensor& fit) {
  check_parts(fit);
  const Tensor x = rows(features, fit).to(at::kDouble), y = at::one_hot(rows(labels, fit), kinds).to(at::kDouble);
  const Tensor middle = x.mean(0, true), share = y.mean(0, true);
  const Tensor held_out = rows(features, fit.logical_not()).to(at::kDouble);
  return (share + at::mm(held_out - middle, ridge(x - middle, y - share))).argmax(1);
}

Tensor probed_kept(const Tensor& features, const Tensor& labels, const Tensor& strata, const Tensor& fit) {
  check_parts(fit);
  const Tensor held_out = fit.logical_not();
  const Tensor x = rows(features, fit).to(at::kDouble), y = rows(labels, fit).to(at::kDouble).unsqueeze(1);
  const Tensor stratum = rows(strata, fit), asked = rows(strata, held_out);
  const Tensor w = ridge(centred(x, stratum), centred(y, stratum));
  const Tensor values = at::mm(rows(features, held_out).to(at::kDouble), w).squeeze(1);
  const int64_t count = strata.max().item<int64_t>() + 1;
  const Tensor share = at::bincount(stratum, y.squeeze(1), count) / at::bincount(stratum, {}, count).clamp_min(1);
  const Tensor keeps = (at::bincount(asked, {}, count).to(at::kDouble) * share).round().to(at::kLong);
  // By stratum, and within one the highest first; equal ones in their order.
  const Tensor falling = std::get<1>(values.sort(/*stable=*/true, 0, /*descending=*/true));
  const Tensor order = falling.index_select(0, std::get<1>(asked.index_select(0, falling).sort(true, 0, false)));
  std::vector<int64_t> left(keeps.const_data_ptr<int64_t>(), keeps.const_data_ptr<int64_t>() + count);
  Tensor kept = at::zeros_like(asked);
  auto* out = kept.mutable_data_ptr<int64_t>();
  const auto* of = asked.const_data_ptr<int64_t>();
  const auto* place = order.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < order.numel(); ++i)
    if (left[static_cast<size_t>(of[place[i]])]-- > 0) out[place[i]] = 1;
  return kept;
}

}  // namespace absorb
