#include "moe/moe.h"

#include <torch/types.h>

#include "core/error.h"

namespace absorb {

void fields(Fields& list, MoeSettings& settings) {
  list.field("experts", settings.experts, {1, 4096}, "Experts of each routed layer.");
  list.field("hidden", settings.hidden, {0, 1 << 20},
             "Hidden width of an expert; 0: what study.match solves for, or feed_forward / experts without matching.");
  list.field("activation", settings.activation, activations(),
             "Between an expert's two products; swiglu: silu of one half of the first times the other.");
  list.field("biases", settings.biases, "Whether experts have biases.");
  list.field("shared", settings.shared, {0, 1 << 20},
             "Hidden width of an expert beside them that every token passes, without a router; 0: none.");
  list.field("layers", settings.layers, {0, 1023},
             "Layers that hold experts, from 0; the others keep a feed-forward layer. Empty: all.");
}

Moe::Moe(Site site, const MoeSettings& settings, const MoeShape& shape, const Parameters& parameters)
    : site_(std::move(site)), settings_(settings), shape_(shape) {
  experts_.count = settings.experts;
  experts_.activation = settings.activation;
  experts_.dropout = shape.dropout;
  experts_.site = site_;
  const auto slices = [&](std::string_view name, int64_t rows, Init init) {
    std::vector<Slice> out;
    const bool halves = name != "in" ? false : inputs_of_activation(settings.activation) == 2;
    for (int64_t e = 0; e < settings.experts; ++e)
      for (const std::string_view part : halves ? std::vector<std::string_view>{"gate", "up"} : std::vector{name})
        out.push_back({fmt::format("{}.{}", e, part), {shape.layer, Part::expert, e}, rows, init});
    return out;
  };
  const Init init = Init::normal(shape.init_std);
  experts_.in = parameters.pack("in", {shape.width}, slices("in", settings.hidden, init));
  experts_.out = parameters.pack("out", {shape.width}, slices("out", settings.hidden, init));
  if (!settings.biases) return;
  experts_.in_bias = parameters.pack(
      "in_bias", {}, slices("in_bias", inputs_of_activation(settings.activation) * settings.hidden, Init::zeros()));
  experts_.out_bias = parameters.pack("out_bias", {shape.width}, slices("out_bias", 1, Init::zeros()));
}

RoutingTask Moe::task() const {
  return {.width = shape_.width, .choices = settings_.experts, .component = {shape_.layer, Part::expert_router, 0}};
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
  const Tensor y = run_experts(x, routing, experts_, pass);
  if (routes.observe_experts)
    routes.observe_experts(site_, y, [&] { return each_expert(x.reshape({-1, shape_.width}), experts_); });
  return y;
}

}  // namespace absorb
