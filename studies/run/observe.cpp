#include "studies/run/observe.h"
#include "core/numbers.h"

#include <torch/types.h>

#include <limits>

namespace absorb {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

void HealthSums::add(const Routing& routing, const RoutingTask& task) {
  at::NoGradGuard no_grad;
  moments_.add(chosen_by(routing), task.visible);
  const Tensor scores = dense(routing.scores);
  const Tensor w = weights(routing, scores);
  const Tensor mask = visible_mask(routing.visible, w.size(-2), w.size(-1), w.device());
  const double visible = mask.defined() ? mask.sum().item<double>() : static_cast<double>(w.size(-2) * w.size(-1));
  const double cells = visible * static_cast<double>(w.size(0) * w.size(1));
  density_ += w.sum().item<double>() / cells;
  const Tensor p = w / w.sum(-1, true).clamp_min(1e-30);
  entropy_ += -(p * p.clamp_min(1e-30).log()).sum(-1).mean().item<double>();
  if (!task.attention()) counts_ = counts_.defined() ? counts_ + counts(routing)[0].cpu() : counts(routing)[0].cpu();
  if (routing.weight == Weight::sigmoid) {
    has_sigmoid_ = true;
    const Tensor s = scores.sigmoid();
    Tensor extreme = (s < 0.01).logical_or_(s > 0.99);
    if (mask.defined()) extreme = extreme.logical_and(mask);
    saturation_ += extreme.sum().item<double>() / cells;
  }
  if (const int64_t k = budget(routing); k > 0 && k < scores.size(-1)) {
    has_budget_ = true;
    const Tensor choosing = dense(chosen_by(routing));
    const Tensor hidden = mask.defined() ? choosing.masked_fill(mask.logical_not(), -infinity) : choosing;
    const Tensor top = std::get<0>(hidden.topk(k + 1, -1));
    const Tensor gap = top.select(-1, k - 1) - top.select(-1, k);
    margin_ += gap.masked_select(gap.isfinite()).mean().item<double>();
  }
  ++passes_;
}

SiteHealth HealthSums::health(const Site& site) const {
  const auto passes = static_cast<double>(passes_);
  SiteHealth health;
  health.site = site;
  health.load_imbalance = counts_.defined() ? (counts_.max() / counts_.mean()).item<double>() : nan;
  health.dead_choices = counts_.defined() ? (counts_ == 0).to(at::kDouble).mean().item<double>() : nan;
  health.entropy = entropy_ / passes;
  health.density = density_ / passes;
  health.margin = has_budget_ ? margin_ / passes : nan;
  health.saturation = has_sigmoid_ ? saturation_ / passes : nan;
  const Tensor by_group = moments_.moments();
  health.score_mean = by_group[0].mean().item<double>();
  health.score_sd = by_group[1].mean().item<double>();
  return health;
}

void MassSums::add(const Scores& native) {
  at::NoGradGuard no_grad;
  const Tensor all = dense(native);  // [B,H,T,T]
  const int64_t items = all.size(-2);
  if (items <= k_) return;
  const Tensor mask = visible_mask(Visible::causal, items, items, all.device());
  const Tensor p = all.masked_fill(mask.logical_not(), -infinity).softmax(-1).narrow(-2, k_, items - k_);
  mass_ += std::get<0>(p.topk(k_, -1)).sum(-1).mean().item<double>();
  uniform_ = 0;
  for (int64_t t = k_; t < items; ++t)
    uniform_ += static_cast<double>(k_) / static_cast<double>(t + 1) / static_cast<double>(items - k_);
  ++passes_;
}

}  // namespace absorb
