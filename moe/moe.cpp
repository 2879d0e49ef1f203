#include "moe/moe.h"

#include <torch/types.h>

#include "core/error.h"

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
  const Tensor sorted =
      x.unsqueeze(1).expand({tokens, k, x.size(1)}).reshape({tokens * k, -1}).index_select(0, d.order);
  const auto in = in_.view({experts, settings_.hidden, -1}).unbind(0);
  const auto out = out_.view({experts, settings_.hidden, -1}).unbind(0);
  std::vector<Tensor> in_bias, out_bias, results;
  if (in_bias_.defined()) {
    in_bias = in_bias_.view({experts, -1}).unbind(0);
    out_bias = out_bias_.unbind(0);
  }
  int64_t begin = 0;
  for (int64_t e = 0; e < experts; ++e) {
    const int64_t rows = d.ends[static_cast<std::size_t>(e)] - begin;
    const auto i = static_cast<std::size_t>(e);
    const Tensor mine = sorted.narrow(0, begin, rows);
    begin += rows;
    Tensor h = activate(at::linear(mine, in[i], in_bias.empty() ? Tensor() : in_bias[i]), settings_.activation);
    h = pass.dropout(h, shape_.dropout, fmt::format("{}/hidden/{}", site_, e));
    results.push_back(out_bias.empty() ? at::matmul(h, out[i]) : at::addmm(out_bias[i], h, out[i]));
  }
  const Tensor y = at::cat(results).index_select(0, d.inverse).view({tokens, k, -1});
  return at::bmm(weights.gather(1, kept).unsqueeze(1), y).squeeze(1);
}

Tensor Moe::operator()(const Tensor& x, const Routes& routes, Pass& pass) const {
  const Route* route = routes.find(site_);
  check(route != nullptr, "experts at {} have no route", site_);
  const RouterInput input{x, {}, {}};
  const Routing routing = (*route)(input, pass);
  if (routes.observe) routes.observe(site_, routing, input);
  const Tensor flat = x.reshape({-1, shape_.width});
  const Tensor w = weights(routing).reshape({flat.size(0), settings_.experts}).to(x.scalar_type());
  const bool all = budget(routing) == 0 || routing.gradient == Gradient::straight_through;
  const Tensor y = all ? all_experts(flat, w, pass) : kept_experts(flat, w, kept_choices(routing), pass);
  return y.view(x.sizes());
}

}  // namespace absorb
