// The experts' kernels as nodes of autograd.
#include <torch/types.h>

#include "core/error.h"
#include "moe/cuda/activation.cuh"
#include "moe/cuda/dispatch.cuh"
#include "moe/cuda/grouped/grouped.cuh"
#include "moe/cuda/route.cuh"
#include "moe/experts.h"
#include "tensors/autocast.h"
#include "tensors/kernels/kernel_arguments.h"
#include "tensors/linear/fused_weights.h"
#include "tensors/linear/linear.h"

namespace absorb {
namespace {

// [E,F,D] of a packed [E*F,D].
Tensor by_expert(const Tensor& packed, int64_t experts) {
  return packed.view({experts, -1, packed.size(-1)});
}

// Everything between the scores and y that the backward pass needs.
struct Kept {
  int64_t tokens = 0, count = 0, kept = 0, width = 0, hidden = 0;
  kernels::RouteExperts route;
  Tensor x, scores, bias;                       // [N,D] bf16, [N,E], [E]
  Tensor choices, weights;                      // [N,K] int32 and fp32
  Tensor order, inverse, ends;                  // int32
  Tensor in, out, in_bias, out_bias;            // bf16 [E,F,D], [E,F,D]; fp32
  Tensor sorted, product, hidden_rows, result;  // [P,D], [P,F], [P,F], [P,D] bf16
  kernels::ActivationCall activation;
  Tensor step;

  kernels::TokenRows rows() const { return {tokens, kept, width, read<int32_t>(order), read<int32_t>(inverse)}; }
  kernels::CombineRows combine() const {
    return {rows(), read<float>(weights), read<int32_t>(choices), read<float>(out_bias)};
  }
};

Tensor int_tensor(const Tensor& like, at::IntArrayRef shape) {
  return empty_like_on(like, shape, at::kInt);
}

// A kernel's header knows no header of ours, so that the two lists stand apart: here they are held together.
kernels::ExpertWeight kernel_weight(Weight weight) {
  using enum kernels::ExpertWeight;
  static_assert(static_cast<int>(Weight::one) == static_cast<int>(one));
  static_assert(static_cast<int>(Weight::mean) == static_cast<int>(mean));
  static_assert(static_cast<int>(Weight::sigmoid) == static_cast<int>(sigmoid));
  static_assert(static_cast<int>(Weight::softmax) == static_cast<int>(softmax));
  static_assert(static_cast<int>(Weight::softmax_kept) == static_cast<int>(softmax_kept));
  return static_cast<kernels::ExpertWeight>(weight);
}

void choose(Kept& k, const Routing& routing) {
  k.route.tokens = k.tokens;
  k.route.experts = k.count;
  k.route.kept = k.kept;
  k.route.weight = kernel_weight(routing.weight);
  if (k.scores.scalar_type() == at::kFloat)
    k.route.scores = read<float>(k.scores);
  else
    k.route.scores_bf16 = read<Bf16>(k.scores);
  k.route.bias = read<float>(k.bias);
  k.choices = int_tensor(k.x, {k.tokens, k.kept});
  k.weights = empty_like_on(k.x, {k.tokens, k.kept}, at::kFloat);
  kernels::route_experts(k.route, write<int32_t>(k.choices), write<float>(k.weights), stream_for(k.x));
  const int64_t pairs = k.tokens * k.kept;
  k.order = int_tensor(k.x, {pairs});
  k.inverse = int_tensor(k.x, {pairs});
  k.ends = int_tensor(k.x, {k.count});
  const Tensor workspace = int_tensor(k.x, {kernels::dispatch_workspace(pairs, k.count)});
  kernels::dispatch_pairs(read<int32_t>(k.choices), pairs, k.count,
                          {write<int32_t>(k.order), write<int32_t>(k.inverse), write<int32_t>(k.ends)},
                          write<int32_t>(workspace), stream_for(k.x));
}

// LibTorch's product took 0.6 of the time of ours at 65,536 rows on an H100, and as long at 16,384. Elsewhere it waits
// for the GPU.
constexpr int64_t many_rows = 32768;

// rows [P,n] times each one's expert's matrix of w [E,F,D].
Tensor grouped(const Kept& k, const Tensor& rows, const Tensor& w, kernels::ExpertMatrix matrix) {
  const bool transposes = matrix == kernels::ExpertMatrix::out_in;
  if (rows.size(0) >= many_rows && kernels::has_hopper_products())
    return at::_grouped_mm(rows, transposes ? w.transpose(1, 2) : w, k.ends);
  kernels::GroupedProduct call;
  call.rows = rows.size(0);
  call.experts = k.count;
  call.in = rows.size(1);
  call.out = transposes ? w.size(1) : w.size(2);
  call.ends = read<int32_t>(k.ends);
  call.a = read<Bf16>(rows);
  call.w = read<Bf16>(w);
  call.matrix = matrix;
  const Tensor y = empty_like_on(rows, {call.rows, call.out}, at::kBFloat16);
  kernels::grouped_product(call, write<Bf16>(y), stream_for(rows));
  return y;
}

Tensor run(Kept& k, const Experts& experts, const Pass& pass) {
  at::NoGradGuard no_grad;
  const AutocastGuard plain(false, k.x.device());
  const int64_t pairs = k.tokens * k.kept;
  k.sorted = empty_like_on(k.x, {pairs, k.width}, at::kBFloat16);
  kernels::gather_rows(k.rows(), read<Bf16>(k.x), write<Bf16>(k.sorted), stream_for(k.x));
  k.product = grouped(k, k.sorted, k.in, kernels::ExpertMatrix::out_in);
  k.hidden_rows = at::empty_like(k.product);
  kernels::ActivationCall& a = k.activation;
  a.rows = pairs;
  a.width = k.hidden;
  a.kind = activation_kernel(experts.activation);
  a.u = read<Bf16>(k.product);
  a.bias = read<float>(k.in_bias);
  a.experts = k.count;
  a.ends = read<int32_t>(k.ends);
  a.dropout = dropout_of(pass, experts.dropout, experts.site + "/hidden");
  kernels::activation_forward(a, write<Bf16>(k.hidden_rows), stream_for(k.x));
  k.result = grouped(k, k.hidden_rows, k.out, kernels::ExpertMatrix::in_out);
  const Tensor y = empty_like_on(k.x, {k.tokens, k.width}, at::kBFloat16);
  kernels::combine_rows(k.combine(), read<Bf16>(k.result), write<Bf16>(y), stream_for(k.x));
  return y;
}

void add_weight_gradient(const Kept& k, const Tensor& a, const Tensor& b, const Tensor& dw) {
  if (!dw.defined()) return;
  kernels::GroupedWeightGradient call;
  call.rows = a.size(0);
  call.experts = k.count;
  call.left = a.size(1);
  call.right = b.size(1);
  call.ends = read<int32_t>(k.ends);
  call.a = read<Bf16>(a);
  call.b = read<Bf16>(b);
  const Tensor workspace = empty_like_on(a, {kernels::grouped_weight_gradient_workspace(call)}, at::kFloat);
  kernels::grouped_weight_gradient(call, write<float>(dw), write<float>(workspace), stream_for(a));
}

// {dx of the gathered rows, dscores}; parameters' gradients are added where they go.
struct ExpertGradients {
  Tensor in, out, in_bias, out_bias;  // undefined: not wanted
};
std::pair<Tensor, Tensor> backward(const Kept& k, const Tensor& dy, const ExpertGradients& to) {
  void* stream = stream_for(dy);
  const Tensor dresult = at::empty_like(k.result), dweights = at::empty_like(k.weights);
  kernels::combine_rows_backward(k.combine(), read<Bf16>(dy), read<Bf16>(k.result), write<Bf16>(dresult),
                                 write<float>(dweights), stream);
  if (to.out_bias.defined()) {
    const Tensor workspace = empty_like_on(dy, {kernels::grouped_sums_workspace(k.count, k.width)}, at::kFloat);
    kernels::grouped_sums(read<Bf16>(dresult), k.width, read<int32_t>(k.ends), k.count, write<float>(to.out_bias),
                          write<float>(workspace), stream);
  }
  const Tensor dhidden = grouped(k, dresult, k.out, kernels::ExpertMatrix::out_in);
  add_weight_gradient(k, k.hidden_rows, dresult, to.out);
  const Tensor workspace = workspace_of(kernels::activation_backward_bytes(k.activation), dy);
  kernels::activation_backward(
      k.activation,
      {read<Bf16>(dhidden), write<Bf16>(dhidden), write<float>(to.in_bias), nullptr, workspace.data_ptr(), nullptr},
      stream);
  add_weight_gradient(k, dhidden, k.sorted, to.in);
  const Tensor dsorted = grouped(k, dhidden, k.in, kernels::ExpertMatrix::in_out);
  const Tensor dscores = at::empty_like(k.scores);
  kernels::RouteExpertsBackward route{read<int32_t>(k.choices), read<float>(k.weights), read<float>(dweights)};
  if (dscores.scalar_type() == at::kFloat)
    route.dscores = write<float>(dscores);
  else
    route.dscores_bf16 = write<Bf16>(dscores);
  kernels::route_experts_backward(k.route, route, stream);
  return {dsorted, dscores};
}

// dx [N,D] from the gathered rows', into x's sink where it has one.
Tensor scatter(const Kept& k, const Tensor& dsorted, const std::shared_ptr<Tensor>& sink, at::IntArrayRef shape) {
  const bool adds = sink && sink->defined();
  const Tensor dx = adds ? *sink : empty_like_on(dsorted, shape, at::kBFloat16);
  kernels::gather_rows_backward(k.rows(), read<Bf16>(dsorted), write<Bf16>(dx), adds, stream_for(dsorted));
  if (!sink) return dx;
  *sink = dx;
  return {};
}

// All experts as one concatenated layer.
Tensor all_experts(const Tensor& x, const Routing& routing, const Experts& e, const Pass& pass) {
  const Tensor w = weights(routing).reshape({-1, e.count}).to(at::kFloat);
  const Tensor h = activated(x, e.in, {e.activation, e.in_bias, w, e.dropout, e.site + "/hidden"}, pass);
  const Tensor y = product(h, e.out, pass);
  return e.out_bias.defined() ? y + at::matmul(w, e.out_bias).view(y.sizes()).to(y.scalar_type()) : y;
}

Tensor kept_experts(const Tensor& x, const Routing& routing, const Experts& experts, const Pass& pass) {
  const KeepTop& top = std::get<KeepTop>(routing.keep);
  const Tensor scores = dense(routing.scores);  // [B,1,T,E]
  auto k = std::make_shared<Kept>();
  k->width = x.size(-1);
  k->tokens = x.numel() / k->width;
  k->count = experts.count;
  k->kept = top.k;
  k->hidden = experts.in.size(0) / experts.count;
  k->x = x.detach().reshape({k->tokens, k->width});
  const Tensor plain = scores.detach().reshape({k->tokens, k->count}).contiguous();
  k->scores = plain.scalar_type() == at::kBFloat16 ? plain : plain.to(at::kFloat);
  if (top.bias.defined()) k->bias = top.bias.to(at::kFloat).contiguous();
  k->in = by_expert(pass.in.fused->bf16(experts.in), k->count);
  k->out = by_expert(pass.in.fused->bf16(experts.out), k->count);
  if (experts.in_bias.defined()) {
    k->in_bias = experts.in_bias.detach();
    k->out_bias = experts.out_bias.detach();
  }
  k->step = pass.in.step;
  choose(*k, routing);
  const Tensor y = run(*k, experts, pass).view(x.sizes());
  const FusedWeights& weights = *pass.in.fused;
  const ExpertGradients to{weights.gradient_of(experts.in), weights.gradient_of(experts.out),
                           weights.gradient_of(experts.in_bias), weights.gradient_of(experts.out_bias)};
  const bool scored = routing.gradient == Gradient::weights && scores.requires_grad();
  record({y}, {x, scores, experts.in, experts.out, experts.in_bias, experts.out_bias},
         [k, to, scored, sink = sink_of(x), wanted = x.requires_grad(), shape = x.sizes().vec(),
          scores_shape = scores.sizes().vec(), type = scores.scalar_type()](const Tensors& gradients) -> Tensors {
           const Tensor dy = gradients[0].to(at::kBFloat16).reshape({k->tokens, k->width}).contiguous();
           const auto [dsorted, dscores] = backward(*k, dy, to);
           Tensors out(6);
           if (wanted) out[0] = scatter(*k, dsorted, sink, shape);
           if (scored) out[1] = dscores.view(scores_shape).to(type);
           return out;
         });
  return y;
}

}  // namespace

std::string why_no_experts_kernel(const Routing& routing, const Experts& experts) {
  if (const std::string why = why_no_activation_kernel(experts.activation); !why.empty()) return "experts with " + why;
  if (runs_all(routing)) return "";
  if (routing.choice) return "experts whose choice and weights are two routers'";
  if (experts.count > kernels::most_routed_experts) return fmt::format("{} experts", experts.count);
  if (experts.in.size(1) % 8 != 0 || experts.in.size(0) / experts.count % 8 != 0)
    return "experts whose widths are no multiples of 8";
  return "";
}

Tensor experts_by_kernel(const Tensor& x, const Routing& routing, const Experts& experts, const Pass& pass) {
  return runs_all(routing) ? all_experts(x, routing, experts, pass) : kept_experts(x, routing, experts, pass);
}

}  // namespace absorb
