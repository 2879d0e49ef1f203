#include "router/routing.h"

#include <torch/types.h>

#include <limits>

#include "core/error.h"
#include "router/kernels.h"

namespace absorb {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Hidden choices get -inf, the own position +inf when it must stay.
Tensor with_self(const Tensor& scores, bool self) {
  if (!self) return scores;
  const Tensor diagonal = at::eye(scores.size(-2), scores.size(-1), scores.options().dtype(at::kBool));
  return scores.masked_fill(diagonal, infinity);
}

Tensor kept_of(const KeepTop& given, const Tensor& scores) {
  const Tensor biased = given.bias.defined() ? scores + given.bias.to(scores.scalar_type()) : scores;
  const KeepTop keep = given.threshold.defined() ? given : top_k(biased, given.k, Visible::all, given.self);
  const Tensor s = with_self(biased, keep.self);
  const Tensor threshold = keep.threshold.unsqueeze(-1);
  const Tensor index = at::arange(scores.size(-1), keep.last.options());
  return (s > threshold).logical_or_((s == threshold).logical_and_(index <= keep.last.unsqueeze(-1)));
}

}  // namespace

Tensor masked_softmax(Tensor logits, const Tensor& mask, bool may_be_empty) {
  if (mask.defined()) logits = logits.masked_fill(mask.logical_not(), -infinity);
  if (!may_be_empty) return logits.softmax(-1);
  const Tensor empty = (logits == -infinity).all(-1, true);
  return logits.masked_fill(empty, 0).softmax(-1).masked_fill(empty, 0);
}

bool is_plain(const Routing& routing) {
  return std::holds_alternative<KeepAll>(routing.keep) && routing.weight == Weight::one;
}

Tensor keep_mask(const Routing& routing, const Tensor& scores) {
  const Tensor visible = visible_mask(routing.visible, scores.size(-2), scores.size(-1), scores.device());
  if (std::holds_alternative<KeepAll>(routing.keep)) return visible;
  const auto* top = std::get_if<KeepTop>(&routing.keep);
  const Tensor by = routing.choice ? dense(chosen_by(routing)) : scores;
  const Tensor kept = top ? kept_of(*top, by.detach()) : std::get<KeepMask>(routing.keep).mask;
  return visible.defined() ? kept.logical_and(visible) : kept;
}

namespace {

// The mask of a soft routing; undefined where the weights alone say what is soft.
Tensor soft_mask(const Routing& routing, const Tensor& scores) {
  if (!routing.gate || !std::holds_alternative<KeepAll>(routing.keep)) return {};
  return dense(*routing.gate).to(scores.scalar_type());
}

}  // namespace

Routing softened(Routing routing) {
  routing.keep = KeepAll{};
  routing.gradient = Gradient::weights;
  return routing;
}

Tensor weights(const Routing& routing) {
  return weights(routing, dense(routing.scores));
}

Tensor weights(const Routing& routing, const Tensor& dense_scores) {
  if (routing.gradient == Gradient::straight_through) {
    Routing hard = routing;
    hard.gradient = Gradient::none;
    const Tensor soft = weights(softened(routing), dense_scores);
    return weights(hard, dense_scores) + soft - soft.detach();
  }
  const Tensor scores = routing.gradient == Gradient::none ? dense_scores.detach() : dense_scores;
  const Tensor mask = keep_mask(routing, scores);
  Tensor w;
  switch (routing.weight) {
    case Weight::one:
      w = at::ones_like(scores);
      break;
    case Weight::mean: {
      if (!mask.defined()) return at::full_like(scores, 1.0 / static_cast<double>(scores.size(-1)));
      const Tensor kept = mask.to(scores.scalar_type());
      return (kept / kept.sum(-1, true).clamp_min(1)).expand_as(scores);
    }
    case Weight::sigmoid:
      w = scores.sigmoid();
      break;
    case Weight::softmax:
      w = masked_softmax(scores, visible_mask(routing.visible, scores.size(-2), scores.size(-1), scores.device()),
                         false);
      break;
    case Weight::softmax_kept:
      w = masked_softmax(scores, mask, mask.defined());
      break;
  }
  if (const Tensor gate = soft_mask(routing, scores); gate.defined()) w = w * gate.sigmoid();
  return mask.defined() ? w * mask : w;
}

Tensor log_weights(const Routing& routing, const Tensor& dense_scores) {
  check(routing.gradient != Gradient::straight_through, "log_weights has no straight-through form");
  const Tensor scores = routing.gradient == Gradient::none ? dense_scores.detach() : dense_scores;
  const Tensor mask = keep_mask(routing, scores);
  // softmax weights differ from exp(score) by a factor per item, which a normalisation over the choices takes out.
  Tensor w = scores;
  if (routing.weight == Weight::sigmoid)
    w = at::log_sigmoid(scores);
  else if (routing.weight == Weight::one || routing.weight == Weight::mean)
    w = at::zeros_like(scores);
  if (const Tensor gate = soft_mask(routing, scores); gate.defined()) w = w + at::log_sigmoid(gate);
  return mask.defined() ? w.masked_fill(mask.logical_not(), -infinity) : w;
}

Tensor mean_weight(const Routing& routing) {
  Routing seen = routing;
  seen.visible = Visible::all;
  return weights(seen).mean();
}

Tensor density(const Routing& routing) {
  at::NoGradGuard no_grad;
  const Scores& s = routing.scores;
  if (std::holds_alternative<KeepAll>(routing.keep)) return at::ones({}, at::TensorOptions().device(s.device));
  const Tensor visible = visible_mask(routing.visible, s.items_count, s.choices_count, s.device);
  if (const auto* top = std::get_if<KeepTop>(&routing.keep);
      top && routing.visible == Visible::causal && s.items_count == s.choices_count) {  // k of the t + 1 in row t
    const Tensor seen = at::arange(1, s.items_count + 1, at::TensorOptions().dtype(at::kFloat).device(s.device));
    return seen.clamp_max(top->k).sum() / seen.sum();
  }
  const Tensor kept = keep_mask(routing, dense(s)).to(at::kFloat);
  return visible.defined() ? kept.sum() / (visible.sum() * (kept.numel() / visible.numel())) : kept.mean();
}

Tensor counts(const Routing& routing) {
  at::NoGradGuard no_grad;
  const Tensor scores = dense(routing.scores);
  const Tensor mask = keep_mask(routing, scores);
  const Tensor kept = mask.defined() ? mask.expand_as(scores) : at::ones_like(scores, at::kBool);
  return kept.sum(at::IntArrayRef{0, 2}).to(at::kDouble);
}

int64_t budget(const Routing& routing) {
  const auto* top = std::get_if<KeepTop>(&routing.keep);
  return top ? top->k : 0;
}

Tensor kept_choices(const Routing& routing) {
  at::NoGradGuard no_grad;
  const int64_t k = budget(routing);
  check(k > 0 && routing.scores.groups == 1, "kept_choices needs a budget and one group");
  const Tensor scores = dense(routing.scores);
  const Tensor mask = keep_mask(routing, scores).view({-1, scores.size(-1)});  // [B*T,C]
  return mask.nonzero().select(1, 1).view({-1, k});  // nonzero lists rows in order, and their columns ascending
}

KeepTop top_k_composition(const Tensor& dense_scores, int64_t k, Visible visible, bool self) {
  at::NoGradGuard no_grad;
  Tensor s = with_self(dense_scores, self);
  if (visible == Visible::causal)
    s = s.masked_fill(visible_mask(visible, s.size(-2), s.size(-1), s.device()).logical_not(), -infinity);
  const Tensor threshold = std::get<0>(s.topk(k, -1)).select(-1, k - 1);
  const Tensor above = (s > threshold.unsqueeze(-1)).sum(-1, true);
  const Tensor ties = s == threshold.unsqueeze(-1);
  const Tensor is_last = ties.logical_and(ties.cumsum(-1) == k - above);
  return {threshold.contiguous(), is_last.to(at::kInt).argmax(-1), k, self};
}

}  // namespace absorb
