#include "router/scores.h"

#include <torch/types.h>

#include <array>

#include "core/error.h"

namespace absorb {

double RoutingTask::init_std(int64_t inputs, double target) const {
  return score_sd == 0 ? 0.02 : target / std::sqrt(static_cast<double>(inputs));
}

Tensor dense(const Scores& s) {
  Tensor out;
  if (s.dense.defined())
    out = s.dense;
  else if (s.items.defined())
    out = at::matmul(s.factor == 1 ? s.items : s.items * s.factor, s.choices.transpose(-2, -1));
  const std::array<int64_t, 4> full = {s.batch, s.groups, s.items_count, s.choices_count};
  if (out.defined() && s.scale.defined()) out = out * s.scale.view({-1, 1, 1});
  if (out.defined() && s.shift.defined()) out = out + s.shift.view({-1, 1, 1});
  if (s.noise != 0) {
    const Tensor noise = gauss(s.key, full, s.device).mul_(s.noise);
    out = out.defined() ? out + noise.to(out.scalar_type()) : noise;
  }
  check(out.defined(), "scores without items, dense values or noise");
  return out.expand(full);
}

Tensor visible_mask(Visible visible, int64_t items, int64_t choices, at::Device device) {
  if (visible == Visible::all) return {};
  return at::ones({items, choices}, at::TensorOptions().dtype(at::kBool).device(device)).tril();
}

Scores scaled(Scores scores, double factor) {
  if (factor == 1) return scores;
  if (scores.dense.defined()) scores.dense = scores.dense * factor;
  if (scores.items.defined()) scores.factor *= factor;
  if (scores.shift.defined()) scores.shift = scores.shift * factor;
  scores.noise *= factor;
  return scores;
}

Scores shuffled(Scores scores) {
  require(scores.batch > 1, "routing.shuffled needs at least two sequences in every batch: raise training.batch");
  const auto roll = [&](Tensor& x) {
    if (x.defined() && x.size(0) > 1) x = at::roll(x, {scores.batch / 2}, {0});
  };
  roll(scores.dense);
  roll(scores.items);
  roll(scores.choices);
  return scores;
}

Scores detached(Scores scores) {
  for (Tensor* x : {&scores.dense, &scores.items, &scores.choices, &scores.scale, &scores.shift})
    if (x->defined()) *x = x->detach();
  return scores;
}

Scores scores_of(const Tensor& dense_scores) {
  Scores scores;
  scores.batch = dense_scores.size(0);
  scores.groups = dense_scores.size(1);
  scores.items_count = dense_scores.size(2);
  scores.choices_count = dense_scores.size(3);
  scores.dense = dense_scores;
  scores.device = dense_scores.device();
  return scores;
}

Scores materialised(const Scores& scores) {
  Scores out = scores_of(dense(scores));
  out.fused = scores.fused;
  return out;
}

Scores matched(Scores scores, const Tensor& from, const Tensor& to) {
  // A router whose scores are all equal keeps its sd of 0: there is nothing to stretch.
  const Tensor factor = at::where(from[1] > 0, to[1] / from[1].clamp_min(1e-30), at::ones_like(to[1]));
  const Tensor shift = to[0] - from[0] * factor;
  const auto type = scores.dense.defined()   ? scores.dense.scalar_type()
                    : scores.items.defined() ? scores.items.scalar_type()
                                             : at::kFloat;
  const Tensor f = factor.to(scores.device, type), s = shift.to(scores.device, type);
  if (!scores.dense.defined() && !scores.items.defined())
    scores.dense = at::zeros({1, scores.groups, 1, scores.choices_count}, f.options());
  check(scores.noise == 0, "scores with noise can't be matched to moments");
  scores.shift = scores.shift.defined() ? scores.shift * f + s : s;
  scores.scale = scores.scale.defined() ? scores.scale * f : f;
  return scores;
}

}  // namespace absorb
