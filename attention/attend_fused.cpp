// The attention kernels as a node of autograd: nothing of size T x T is written.
#include <torch/types.h>

#include "attention/attend.h"
#include "attention/cuda/attend.cuh"
#include "core/error.h"
#include "router/kernels.h"
#include "tensors/gradient_home.h"
#include "tensors/kernels/kernel_arguments.h"
#include "tensors/node.h"
#include "tensors/view_sink.h"

namespace absorb {
namespace {

bool is_dense(const Routing* routing) {
  return routing == nullptr || is_plain(*routing);
}

// Part `part` of packed [B,T,3*H*d].
kernels::View part_of(const Tensor& packed, int64_t part, int64_t width) {
  return {read<Bf16>(packed) + part * (packed.size(-1) / 3), packed.stride(0), packed.stride(1), width};
}
kernels::MutableView gradient_part(const Tensor& packed, int64_t part, int64_t width) {
  return {write<Bf16>(packed) + part * (packed.size(-1) / 3), packed.stride(0), packed.stride(1), width};
}
// Of [B,G,T,R].
kernels::View factor_view(const Tensor& x) {
  return {read<Bf16>(x), x.stride(0), x.stride(2), x.stride(1)};
}
kernels::MutableView factor_gradient(const Tensor& x) {
  return {write<Bf16>(x), x.stride(0), x.stride(2), x.stride(1)};
}
// [B,T,H*d]
kernels::View rows_view(const Tensor& x, int64_t width) {
  return {read<Bf16>(x), x.size(1) * x.size(2), x.size(2), width};
}
kernels::MutableView rows_gradient(const Tensor& x, int64_t width) {
  return {write<Bf16>(x), x.size(1) * x.size(2), x.size(2), width};
}

// Everything that both passes read; tensors that `forward` points into.
struct Call {
  kernels::AttendForward forward;
  Tensor packed, out, lse, soft_out, soft_lse, stay, step;
  Factors factors;
  Tensor threshold, last;
  bool wants_factors = false;
  GradientHome packed_home, factor_homes[2];
  ViewSink factor_sinks[2];
};

Tensor place_for(const GradientHome& home, at::IntArrayRef sizes, const Tensor& like) {
  const Tensor place = home.get();
  return place.defined() ? place : empty_like_on(like, sizes, at::kBFloat16);
}

// A kernel's header knows no header of ours, so that the two lists stand apart: here they are held together.
kernels::AttendApply kernel_apply(Apply apply) {
  using enum kernels::AttendApply;
  static_assert(static_cast<int>(Apply::scale_logits) == static_cast<int>(scale_logits));
  static_assert(static_cast<int>(Apply::log_bias) == static_cast<int>(log_bias));
  static_assert(static_cast<int>(Apply::post_softmax) == static_cast<int>(post_softmax));
  return static_cast<kernels::AttendApply>(apply);
}

kernels::AttendGate gate_of(const Call& call, const Routing& routing, Apply apply) {
  kernels::AttendGate gate;
  gate.items = factor_view(call.factors.items);
  gate.choices = factor_view(call.factors.choices);
  gate.factor = static_cast<float>(call.factors.factor);
  gate.scale = read<float>(call.factors.scale);
  gate.shift = read<float>(call.factors.shift);
  gate.apply = kernel_apply(apply);
  gate.sigmoid = routing.weight == Weight::sigmoid;
  gate.threshold = read<float>(call.threshold);
  gate.last = read<int32_t>(call.last);
  return gate;
}

void add_gate(Call& call, const Routing& routing, Apply apply) {
  call.factors = factors_for_kernels(routing.scores);
  if (const auto* top = std::get_if<KeepTop>(&routing.keep)) {
    call.threshold = top->threshold.contiguous();
    call.last = top->last.contiguous();
  }
  call.forward.shape.rank = static_cast<int>(call.factors.items.size(-1));
  call.forward.gate = gate_of(call, routing, apply);
  call.wants_factors = routing.gradient != Gradient::none && routing.weight == Weight::sigmoid &&
                       (call.factors.items.requires_grad() || call.factors.choices.requires_grad());
}

Tensors backward(const Call& call, const Tensor& gradient) {
  const auto& f = call.forward;
  const int64_t width = f.shape.width;
  const Tensor d_out = gradient.to(at::kBFloat16).contiguous(),
               d_packed = place_for(call.packed_home, call.packed.sizes(), d_out);
  const Tensor delta = at::empty_like(call.lse);
  kernels::AttendBackward b;
  b.shape = f.shape;
  b.q = f.q;
  b.k = f.k;
  b.v = f.v;
  b.gate = f.gate;
  b.dropout = f.dropout;
  b.out = rows_view(call.out, width);
  b.d_out = rows_view(d_out, width);
  b.lse = read<float>(call.lse);
  if (call.soft_out.defined()) b.soft_out = rows_view(call.soft_out, width);
  b.soft_lse = read<float>(call.soft_lse);
  b.delta = write<float>(delta);
  b.stay = read<uint32_t>(call.stay);
  b.d_q = gradient_part(d_packed, 0, width);
  b.d_k = gradient_part(d_packed, 1, width);
  b.d_v = gradient_part(d_packed, 2, width);
  Tensors out = {d_packed, {}, {}};
  if (call.wants_factors) {
    const int64_t batch = f.shape.batch, items = f.shape.items, heads = f.shape.heads, rank = f.shape.rank;
    for (std::size_t i = 1; i < 3; ++i) {
      out[i] = call.factor_homes[i - 1].get();
      if (!out[i].defined())  // [B,T,H,R] in memory, as the products before the factors have it
        out[i] = empty_like_on(d_out, {batch, items, heads, rank}, at::kBFloat16).transpose(1, 2);
    }
    b.d_items = factor_gradient(out[1]);
    b.d_choices = factor_gradient(out[2]);
  }
  kernels::attend_backward(b, stream_for(d_out));
  for (std::size_t i = 1; i < 3; ++i)
    if (out[i].defined() && call.factor_sinks[i - 1].leave(out[i])) out[i] = Tensor();
  return out;
}

}  // namespace

std::string why_no_attend_kernel(const AttendInput& in, const Routing* routing) {
  if (!in.q.defined()) return "attention without QK^T";
  if (!in.packed.defined()) return "attention whose queries and keys are turned, normed or shared";
  const int64_t width = in.q.size(-1);
  if (is_dense(routing))
    return kernels::attend_has_kernel(width, 0) ? "" : fmt::format("attention with heads of {}", width);
  const Routing& r = *routing;
  if (r.choice) return "attention whose choice and weights are two routers'";
  if (!has_factors_for_kernels(r.scores)) return "attention under scores that are no product of two factors";
  if (!kernels::attend_has_kernel(width, (r.scores.items.size(-1) + 7) / 8 * 8))
    return fmt::format("attention with heads of {} and gates of rank {}", width, r.scores.items.size(-1));
  if (r.visible != Visible::causal) return "attention that chooses among all keys and then hides the future";
  const auto* top = std::get_if<KeepTop>(&r.keep);
  if (!top && !std::holds_alternative<KeepAll>(r.keep)) return "attention under a mask";
  if (top && (top->bias.defined() || !top->threshold.defined() || top->threshold.scalar_type() != at::kFloat ||
              top->last.scalar_type() != at::kInt))
    return "attention under a selection that has no kernel";
  if (r.weight != Weight::sigmoid && r.weight != Weight::one) return "attention under weights that are no sigmoid";
  if (r.gradient == Gradient::straight_through && (r.weight == Weight::one || in.dropout > 0))
    return "straight-through attention with dropout or without weights";
  return "";
}

Tensor attend_by_kernel(const AttendInput& in, const Routing* routing, const Pass& pass) {
  const int64_t batch = in.q.size(0), heads = in.q.size(1), items = in.q.size(2), width = in.q.size(3);
  auto call = std::make_shared<Call>();
  call->packed = in.packed.detach();
  call->packed_home = gradient_home(in.packed, pass);
  const Tensor out = empty_like_on(in.packed, {batch, items, heads * width}, at::kBFloat16);
  call->out = out.detach();
  call->lse = empty_like_on(in.packed, {batch, heads, items}, at::kFloat);
  call->step = pass.in.step;
  kernels::AttendForward& f = call->forward;
  f.shape = {static_cast<int>(batch), static_cast<int>(items), static_cast<int>(heads), static_cast<int>(width), 0};
  f.q = part_of(call->packed, 0, width);
  f.k = part_of(call->packed, 1, width);
  f.v = part_of(call->packed, 2, width);
  f.dropout = dropout_of(pass, in.dropout, in.site + "/weights");
  f.out = rows_gradient(call->out, width);
  f.lse = write<float>(call->lse);
  if (!is_dense(routing)) {
    add_gate(*call, *routing, in.apply);
    if (routing->gradient == Gradient::straight_through) {
      call->soft_out = at::empty_like(call->out);
      call->soft_lse = at::empty_like(call->lse);
      f.soft_out = rows_gradient(call->soft_out, width);
      f.soft_lse = write<float>(call->soft_lse);
    }
  }
  if (f.dropout.threshold != 0) {
    call->stay = empty_like_on(in.packed, {kernels::attend_stay_words(f.shape)}, at::kInt);
    f.stay = write<uint32_t>(call->stay);
  }
  kernels::attend_forward(f, stream_for(in.packed));
  const Tensor items_factor = call->factors.items, choices_factor = call->factors.choices;
  if (items_factor.defined()) {
    call->factor_homes[0] = gradient_home(items_factor, pass);
    call->factor_homes[1] = gradient_home(choices_factor, pass);
    call->factor_sinks[0] = ViewSink(items_factor);
    call->factor_sinks[1] = ViewSink(choices_factor);
    call->factors.items = items_factor.detach();
    call->factors.choices = choices_factor.detach();
  }
  record({out}, {in.packed, items_factor, choices_factor},
         [call](const Tensors& gradients) { return backward(*call, gradients[0]); });
  return out;
}

}  // namespace absorb
