// One case of attention over routed keys: its reference in double on a CPU, and its kernels.
#pragma once

#include <torch/types.h>

#include <limits>

#include "attention/attend.h"
#include "attention/cuda/attend.cuh"
#include "core/device.h"
#include "tests/routing_fixture.h"

namespace absorb {

using namespace testing;

constexpr double infinity = std::numeric_limits<double>::infinity();

inline const at::Device gpu(at::kCUDA, 0);

struct Shape {
  int64_t batch, items, heads, width, rank;
};

struct Kind {
  Apply apply = Apply::log_bias;
  Weight weight = Weight::sigmoid;
  int64_t k = 0;  // 0: keep all
  Gradient gradient = Gradient::weights;
  double dropout = 0;
};

inline kernels::View view(const Tensor& x /* [B,T,H,n] */) {
  return {reinterpret_cast<const Bf16*>(x.const_data_ptr()), x.stride(0), x.stride(1), x.stride(2)};
}

inline kernels::MutableView mutable_view(const Tensor& x) {
  return {reinterpret_cast<Bf16*>(x.mutable_data_ptr()), x.stride(0), x.stride(1), x.stride(2)};
}

inline double error(const Tensor& value, const Tensor& reference) {
  const Tensor v = value.to(at::kCPU, at::kDouble), r = reference.to(at::kCPU, at::kDouble);
  return (v - r).norm().item<double>() / std::max(r.norm().item<double>(), 1e-30);
}

struct Results {
  Tensor out, d_q, d_k, d_v, d_items, d_choices;  // [B,T,H,n]
  Tensor lse;                                     // [B,H,T]

  std::vector<Tensor> all() const { return {out, d_q, d_k, d_v, d_items, d_choices, lse}; }
};

// One case, its reference and its kernels. Factors are small multiples of 1/4, so that scores are exact in every
// arithmetic and ties are many.
class Case {
 public:
  Case(const Shape& shape, const Kind& kind) : shape_(shape), kind_(kind) {
    const auto draw = [&](const std::string& name, int64_t parts, int64_t n) {
      return features({shape.batch, shape.items, parts, shape.heads, n}, name).to(at::kBFloat16);
    };
    qkv_ = draw("qkv", 3, shape.width);
    factors_ = (draw("factors", 2, shape.rank) * 2).round() / 4;
    d_out_ = draw("d_out", 1, shape.width).select(2, 0).contiguous();
    const std::vector<int64_t> heads = {shape.heads};  // an IntArrayRef would outlive its list
    scale_ = at::ones(heads, at::kFloat);
    scale_.narrow(0, 0, 1).fill_(0.5);
    shift_ = at::full(heads, -0.25, at::kFloat);
    step_ = at::full({}, 5, at::kLong);
    if (kind.k > 0) budget_ = top_k(dense(routing().scores), kind.k, Visible::causal, false);
  }

  void set_factors(const Tensor& x) { factors_ = x.to(at::kBFloat16).expand_as(factors_).contiguous(); }
  void keep_nothing(int64_t item) { budget_.threshold.select(-1, item).fill_(infinity); }

  Results reference() const {
    Tensor q = part(qkv_, 0), k = part(qkv_, 1), v = part(qkv_, 2), items = part(factors_, 0),
           choices = part(factors_, 1);
    for (Tensor* x : {&q, &k, &v, &items, &choices}) x->requires_grad_();
    const Routing routed = routing(items, choices);
    const AttendInput input{q, k, v, kind_.apply, kind_.dropout, "site"};
    const Tensor out = attend(input, shape_.rank > 0 ? &routed : nullptr, pass());  // [B,T,H*d]
    out.backward(d_out_.to(at::kDouble).flatten(2));
    const auto gradient = [](const Tensor& x) {
      return (x.grad().defined() ? x.grad() : at::zeros_like(x)).transpose(1, 2);
    };
    return {
        out.detach().view_as(d_out_), gradient(q), gradient(k), gradient(v), gradient(items), gradient(choices), {}};
  }

  Results fused() const {
    const Tensor qkv = qkv_.to(gpu), factors = factors_.to(gpu), d_out = d_out_.to(gpu), scale = scale_.to(gpu),
                 shift = shift_.to(gpu), step = step_.to(gpu);
    const Tensor threshold =
        budget_.threshold.defined() ? budget_.threshold.to(gpu, at::kFloat).contiguous() : Tensor();
    const Tensor last = budget_.last.defined() ? budget_.last.to(gpu, at::kInt).contiguous() : Tensor();
    const Tensor out = at::full_like(d_out, NAN), soft_out = at::full_like(d_out, NAN);
    const auto numbers = at::TensorOptions().dtype(at::kFloat).device(gpu);
    const std::vector<int64_t> rows = {shape_.batch, shape_.heads, shape_.items};
    const Tensor lse = at::full(rows, NAN, numbers), soft_lse = lse.clone(), delta = lse.clone();
    const Tensor d_qkv = at::full_like(qkv, NAN), d_factors = at::full_like(factors, NAN);
    const bool straight = kind_.gradient == Gradient::straight_through;
    const bool to_factors = kind_.gradient != Gradient::none && kind_.weight == Weight::sigmoid && shape_.rank > 0;

    kernels::AttendForward forward;
    forward.shape = {static_cast<int>(shape_.batch), static_cast<int>(shape_.items), static_cast<int>(shape_.heads),
                     static_cast<int>(shape_.width), static_cast<int>(shape_.rank)};
    forward.q = view(qkv.select(2, 0));
    forward.k = view(qkv.select(2, 1));
    forward.v = view(qkv.select(2, 2));
    forward.gate = gate(factors, scale, shift, threshold, last);
    forward.dropout = dropout(step);
    forward.out = mutable_view(out);
    forward.lse = lse.mutable_data_ptr<float>();
    if (straight) {
      forward.soft_out = mutable_view(soft_out);
      forward.soft_lse = soft_lse.mutable_data_ptr<float>();
    }
    const Tensor stay = at::full({kernels::attend_stay_words(forward.shape)}, -1, numbers.dtype(at::kInt));
    if (kind_.dropout > 0) forward.stay = reinterpret_cast<uint32_t*>(stay.mutable_data_ptr<int32_t>());
    kernels::attend_forward(forward, current_cuda_stream(gpu));

    kernels::AttendBackward backward;
    backward.shape = forward.shape;
    backward.q = forward.q;
    backward.k = forward.k;
    backward.v = forward.v;
    backward.gate = forward.gate;
    backward.dropout = forward.dropout;
    backward.out = view(out);
    backward.d_out = view(d_out);
    backward.lse = lse.const_data_ptr<float>();
    if (straight) {
      backward.soft_out = view(soft_out);
      backward.soft_lse = soft_lse.const_data_ptr<float>();
    }
    backward.stay = forward.stay;
    backward.delta = delta.mutable_data_ptr<float>();
    backward.d_q = mutable_view(d_qkv.select(2, 0));
    backward.d_k = mutable_view(d_qkv.select(2, 1));
    backward.d_v = mutable_view(d_qkv.select(2, 2));
    if (to_factors) {
      backward.d_items = mutable_view(d_factors.select(2, 0));
      backward.d_choices = mutable_view(d_factors.select(2, 1));
    } else {
      d_factors.zero_();
    }
    kernels::attend_backward(backward, current_cuda_stream(gpu));
    return {
        out, d_qkv.select(2, 0), d_qkv.select(2, 1), d_qkv.select(2, 2), d_factors.select(2, 0), d_factors.select(2, 1),
        lse};
  }

  kernels::AttendGate gate(const Tensor& factors, const Tensor& scale, const Tensor& shift, const Tensor& threshold,
                           const Tensor& last) const {
    kernels::AttendGate gate;
    if (shape_.rank > 0) {
      gate.items = view(factors.select(2, 0));
      gate.choices = view(factors.select(2, 1));
    }
    gate.factor = 0.5;
    gate.scale = scale.const_data_ptr<float>();
    gate.shift = shift.const_data_ptr<float>();
    gate.apply = static_cast<kernels::AttendApply>(kind_.apply);
    gate.sigmoid = kind_.weight == Weight::sigmoid;
    if (threshold.defined()) {
      gate.threshold = threshold.const_data_ptr<float>();
      gate.last = last.const_data_ptr<int32_t>();
    }
    return gate;
  }

 private:
  Pass pass() const { return {.in = {.training = true, .seed = 3, .step = step_}}; }
  static Tensor heads_first(const Tensor& x) { return x.transpose(1, 2).contiguous(); }
  static Tensor part(const Tensor& x, int64_t which) { return heads_first(x.select(2, which).to(at::kDouble)); }

  Routing routing() const { return routing(part(factors_, 0), part(factors_, 1)); }
  Routing routing(const Tensor& items, const Tensor& choices) const {
    Scores scores;
    scores.batch = shape_.batch;
    scores.groups = shape_.heads;
    scores.items_count = scores.choices_count = shape_.items;
    scores.items = items * 0.5;
    scores.choices = choices;
    scores.scale = scale_.to(at::kDouble);
    scores.shift = shift_.to(at::kDouble);
    Routing routing{scores};
    if (budget_.threshold.defined()) routing.keep = budget_;
    routing.weight = kind_.weight;
    routing.gradient = kind_.gradient;
    routing.visible = Visible::causal;
    return routing;
  }

  kernels::Dropout dropout(const Tensor& step) const {
    if (kind_.dropout == 0) return {};
    return {pass().random("dropout", "site/weights").key, step.const_data_ptr<int64_t>(),
            static_cast<uint32_t>(std::llround(kind_.dropout * 0x1p32)), static_cast<float>(1 / (1 - kind_.dropout))};
  }

  Shape shape_;
  Kind kind_;
  Tensor qkv_, factors_, d_out_, scale_, shift_, step_;  // [B,T,3,H,d], [B,T,2,H,r], [B,T,H,d], [H], [H], scalar
  KeepTop budget_;
};

}  // namespace absorb
