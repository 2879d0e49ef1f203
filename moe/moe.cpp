#include "moe/moe.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <numeric>

#include "core/error.h"
#include "moe/fused.h"
#include "tensors/kernel_choice.h"
#include "tensors/linear.h"

namespace absorb {

void fields(Fields& list, MoeSettings& settings) {
  list.field("experts", settings.experts, {1, 4096}, "Experts of each routed layer.");
  list.field("hidden", settings.hidden, {0, 1 << 20},
             "Hidden width of an expert; 0: what study.match solves for, or feed_forward / experts without matching.");
  list.field("activation", settings.activation, {"gelu", "gelu_tanh", "none"}, "Between an expert's two products.");
  list.field("biases", settings.biases, "Whether experts have biases.");
}

Tensor activate(const Tensor& x, const std::string& activation) {
  if (activation == "none") return x;
  return at::gelu(x, activation == "gelu_tanh" ? "tanh" : "none");
}

namespace {

// Rows move by a permutation, so their gradients are gathered by its inverse: no atomics, no zeros to add to.
struct PermuteRows : torch::autograd::Function<PermuteRows> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor& order,
                        const Tensor& inverse) {
    context->save_for_backward({order, inverse});
    return x.index_select(0, order);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    return {apply(gradients[0], saved[1], saved[0]), {}, {}};
  }
};

}  // namespace

Moe::Moe(Site site, const MoeSettings& settings, const MoeShape& shape, const Parameters& parameters)
    : site_(std::move(site)), settings_(settings), shape_(shape) {
  const auto slices = [&](std::string_view name, int64_t rows, Init init) {
    std::vector<Slice> out;
    for (int64_t e = 0; e < settings.experts; ++e)
      out.push_back({fmt::format("{}.{}", e, name), {shape.layer, Part::expert, e}, rows, init});
    return out;
  };
  const Init init = Init::normal(shape.init_std);
  in_ = parameters.pack("in", {shape.width}, slices("in", settings.hidden, init));
  out_ = parameters.pack("out", {shape.width}, slices("out", settings.hidden, init));
  if (!settings.biases) return;
  in_bias_ = parameters.pack("in_bias", {}, slices("in_bias", settings.hidden, Init::zeros()));
  out_bias_ = parameters.pack("out_bias", {shape.width}, slices("out_bias", 1, Init::zeros()));
}

RoutingTask Moe::task() const {
  return {shape_.width, 1, settings_.experts, Visible::all, {shape_.layer, Part::expert_router, 0}};
}

Tensor Moe::all_experts(const Tensor& x, const Tensor& weights, const Pass& pass) const {
  Tensor h = activate(at::linear(x, in_, in_bias_), settings_.activation);  // [N,E*F]
  h = pass.dropout(h, shape_.dropout, site_ + "/hidden");
  h = h.view({x.size(0), settings_.experts, -1}) * weights.unsqueeze(-1);
  const Tensor y = at::matmul(h.view({x.size(0), -1}), out_);
  return out_bias_.defined() ? at::addmm(y, weights, out_bias_) : y;
}

Tensor Moe::kept_experts(const Tensor& x, const Tensor& weights, const Tensor& kept, const Pass& pass) const {
  const int64_t tokens = x.size(0), k = kept.size(1), experts = settings_.experts;
  const Dispatch d = dispatch(kept, experts);
  std::vector<int64_t> rows = d.ends;
  std::adjacent_difference(d.ends.begin(), d.ends.end(), rows.begin());
  // One split, not a narrow for each expert: the gradient of a narrow is a whole tensor of zeros.
  const Tensor pairs = x.unsqueeze(1).expand({tokens, k, x.size(1)}).reshape({tokens * k, -1});
  const auto sorted = PermuteRows::apply(pairs, d.order, d.inverse).split_with_sizes(rows);
  const auto in = in_.view({experts, settings_.hidden, -1}).unbind(0);
  const auto out = out_.view({experts, settings_.hidden, -1}).unbind(0);
  std::vector<Tensor> in_bias, out_bias, results, dropped;
  const bool drops = pass.training && shape_.dropout > 0;
  if (drops)  // one stream over all rows as they are sorted
    dropped =
        pass.dropout(at::ones({tokens * k, settings_.hidden}, sorted[0].options()), shape_.dropout, site_ + "/hidden")
            .split_with_sizes(rows);
  if (in_bias_.defined()) {
    in_bias = in_bias_.view({experts, -1}).unbind(0);
    out_bias = out_bias_.unbind(0);
  }
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    Tensor h = activate(at::linear(sorted[i], in[i], in_bias.empty() ? Tensor() : in_bias[i]), settings_.activation);
    if (drops) h = h * dropped[i];
    results.push_back(out_bias.empty() ? at::matmul(h, out[i]) : at::addmm(out_bias[i], h, out[i]));
  }
  const Tensor y = PermuteRows::apply(at::cat(results), d.inverse, d.order).view({tokens, k, -1});
  return (y * weights.gather(1, kept).unsqueeze(-1)).sum(1);  // LibTorch's bmm of one row falls into a naive loop
}

Tensor Moe::each_expert(const Tensor& x) const {
  const int64_t experts = settings_.experts;
  const Tensor h = activate(at::linear(x, in_, in_bias_), settings_.activation)
                       .view({x.size(0), experts, settings_.hidden})
                       .transpose(0, 1);
  const Tensor y = at::bmm(h, out_.view({experts, settings_.hidden, -1})).transpose(0, 1);
  return out_bias_.defined() ? y + out_bias_ : y;
}

// Undefined where kernels can't.
Tensor Moe::fused_experts(const Tensor& x, const Routing& routing, const Pass& pass) const {
  const bool all = budget(routing) == 0 || routing.gradient == Gradient::straight_through;
  if (!all) {
    const fused::Experts experts{
        in_, out_, in_bias_, out_bias_, settings_.experts, settings_.activation, shape_.dropout, site_};
    const std::string reason = fused::why_no_kernel(routing, experts);
    if (reason.empty()) return fused::kept_experts(x, routing, experts, pass);
    say_composed(reason);
    return {};
  }
  const Tensor w = weights(routing).reshape({-1, settings_.experts}).to(at::kFloat);
  const Tensor h = fused::activate(linear(x, in_, pass),
                                   {settings_.activation, in_bias_, w, shape_.dropout, site_ + "/hidden"}, pass);
  const Tensor y = product(h, out_, pass);
  return out_bias_.defined() ? y + at::matmul(w, out_bias_).view(y.sizes()).to(y.scalar_type()) : y;
}

Tensor Moe::operator()(const Tensor& x, const Routes& routes, Pass& pass) const {
  const Route* route = routes.find(site_);
  check(route != nullptr, "experts at {} have no route", site_);
  RouterInput input;
  input.items = x;
  if (const auto gains = routes.gains.find(site_); gains != routes.gains.end())
    input.native = scores_of(gains->second.unsqueeze(1));
  const Routing routing = (*route)(input, pass);
  if (routes.observe) routes.observe(site_, routing, input);
  if (pass.fused && !routes.observe_experts)
    if (const Tensor y = fused_experts(x, routing, pass); y.defined()) return y;
  const Tensor flat = x.reshape({-1, shape_.width});
  const Tensor w = weights(routing).reshape({flat.size(0), settings_.experts}).to(x.scalar_type());
  const bool all = budget(routing) == 0 || routing.gradient == Gradient::straight_through;
  if (!all) pass.waits = true;
  const Tensor y = all ? all_experts(flat, w, pass) : kept_experts(flat, w, kept_choices(routing), pass);
  if (routes.observe_experts) routes.observe_experts(site_, y, [&] { return each_expert(flat); });
  return y.view(x.sizes());
}

}  // namespace absorb
