#include "attention/attend.h"

#include <torch/types.h>

#include "core/error.h"
#include "tensors/kernels/kernel_choice.h"

namespace absorb {
namespace {

// The causal mask, or the routing's own where it keeps less.
Tensor mask_of(const Routing& routing, const Tensor& scores) {
  const Tensor kept = keep_mask(routing, scores);
  return kept.defined() ? kept : visible_mask(Visible::causal, scores.size(-2), scores.size(-1), scores.device());
}

Tensor logits_of(const AttendInput& in) {
  if (!in.q.defined()) return at::zeros({in.v.size(0), in.v.size(1), in.v.size(2), in.v.size(2)}, in.v.options());
  const double scale = 1.0 / std::sqrt(static_cast<double>(in.q.size(-1)));
  return at::matmul(in.q * scale, in.k.transpose(-2, -1));
}

Tensor probabilities(const AttendInput& in, const Routing& routing, const Tensor& logits, const Tensor& scores) {
  const bool may_be_empty = routing.visible == Visible::causal_late;
  switch (in.apply) {
    case Apply::log_bias:
      return masked_softmax(logits + log_weights(routing, scores), {}, may_be_empty);
    case Apply::scale_logits: {
      const Tensor mask = mask_of(routing, scores);
      Routing w = routing;
      if (w.weight == Weight::sigmoid || w.weight == Weight::one) {  // the mask alone excludes: weigh without it
        w.keep = KeepAll{};
        w.visible = Visible::all;
      }
      return masked_softmax(logits * weights(w, scores), mask, may_be_empty);
    }
    case Apply::post_softmax:
      break;
  }
  const Tensor causal = visible_mask(Visible::causal, logits.size(-2), logits.size(-1), logits.device());
  return masked_softmax(logits, causal, false) * weights(routing, scores);
}

Tensor dense_attention(const AttendInput& in, const Pass& pass) {
  const bool drops = pass.in.training && in.dropout > 0;
  if (in.q.defined() && !drops && !pass.in.twice_differentiable)
    return at::scaled_dot_product_attention(in.q, in.k, in.v, {}, 0.0, /*is_causal=*/true);
  const Tensor logits = logits_of(in);
  const Tensor causal = visible_mask(Visible::causal, logits.size(-2), logits.size(-1), logits.device());
  return at::matmul(pass.dropout(masked_softmax(logits, causal, false), in.dropout, in.site + "/weights"), in.v);
}

}  // namespace

Apply apply_named(const std::string& name) {
  if (name == "scale_logits") return Apply::scale_logits;
  if (name == "log_bias") return Apply::log_bias;
  require(name == "post_softmax", "apply must be scale_logits, log_bias or post_softmax but got \"{}\"", name);
  return Apply::post_softmax;
}

Tensor attention_weights(const AttendInput& in, const Routing& routing) {
  const Tensor logits = logits_of(in);
  const Tensor scores = dense(routing.scores).to(logits.scalar_type());
  if (routing.gradient != Gradient::straight_through) return probabilities(in, routing, logits, scores);
  // The value is the hard routing's, the derivative that of the soft one (science.md section 2, trap 7).
  Routing hard = routing;
  hard.gradient = Gradient::none;
  const Tensor value = probabilities(in, hard, logits.detach(), scores.detach()).detach();
  const Tensor soft = probabilities(in, softened(routing), logits, scores);
  return value + soft - soft.detach();
}

Tensor attend_composition(const AttendInput& in, const Routing* routing, const Pass& pass) {
  const Tensor y =
      routing == nullptr || is_plain(*routing)
          ? dense_attention(in, pass)
          : at::matmul(pass.dropout(attention_weights(in, *routing), in.dropout, in.site + "/weights"), in.v);
  return y.transpose(1, 2).reshape({y.size(0), y.size(2), -1});
}

Tensor attend(const AttendInput& in, const Routing* routing, const Pass& pass) {
  if (runs_kernel(pass, [&] { return why_no_attend_kernel(in, routing); })) return attend_by_kernel(in, routing, pass);
  return attend_composition(in, routing, pass);
}

}  // namespace absorb
