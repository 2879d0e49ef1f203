#include "attention/attention.h"

#include <torch/types.h>

#include "core/error.h"
#include "tensors/linear/linear.h"

namespace absorb {

void fields(Fields& list, AttentionSettings& settings) {
  list.field(
      "native", settings.native, {"qk", "none"},
      "Own scores of routed attention: QK^T, or none, so that the router alone decides. Attention that isn't routed "
      "keeps its QK^T.");
}

Attention::Attention(Site site, const AttentionSettings& settings, const AttentionShape& shape,
                     const Parameters& parameters)
    : site_(std::move(site)), shape_(shape), has_scores_(settings.native == "qk") {
  const int64_t width = shape.width;
  const Init init = Init::normal(shape.init_std);
  std::vector<Slice> slices;
  if (has_scores_) {
    slices.push_back({"q", {shape.layer, Part::q, 0}, width, init});
    slices.push_back({"k", {shape.layer, Part::k, 0}, width, init});
  }
  slices.push_back({"v", {shape.layer, Part::v, 0}, width, init});
  qkv_ = parameters.pack("qkv", {width}, std::move(slices), site_);
  out_ = parameters.add("o", {width, width}, init, {shape.layer, Part::o, 0});
}

RoutingTask Attention::task() const {
  return {.width = shape_.width,
          .groups = shape_.heads,
          .visible = Visible::causal,
          .component = {shape_.layer, Part::attention_router, 0},
          .context = shape_.context,
          .input = site_};
}

Tensor Attention::operator()(const Tensor& x, const Routes& routes, Pass& pass) const {
  const int64_t batch = x.size(0), items = x.size(1), heads = shape_.heads, head_width = shape_.width / heads;
  AttendInput in;
  const Route* route = routes.find(site_);
  in.packed =
      route == nullptr || route->settings().detach_input ? linear(x, qkv_, pass) : linear_with_followers(x, qkv_, pass);
  // unbind, not select: its gradient is one concatenation, that of a select a whole tensor of zeros.
  const auto parts = in.packed.view({batch, items, -1, heads, head_width}).permute({2, 0, 3, 1, 4}).unbind(0);
  if (has_scores_) {
    in.q = parts[0];
    in.k = parts[1];
  }
  in.v = parts.back();
  in.dropout = shape_.dropout;
  in.site = site_;

  Routing routing;
  if (route != nullptr) {
    RouterInput input{x, x, {}};
    if (has_scores_) {
      input.native.batch = batch;
      input.native.groups = heads;
      input.native.items_count = input.native.choices_count = items;
      input.native.items = in.q;
      input.native.factor = 1.0 / std::sqrt(static_cast<double>(head_width));
      input.native.choices = in.k;
      input.native.device = x.device();
    }
    in.apply = apply_named(route->settings().apply);
    routing = (*route)(input, pass);
    if (routes.observe) routes.observe(site_, routing, input);
  }
  pass.scratch.products.clear();
  return linear(attend(in, route == nullptr ? nullptr : &routing, pass), out_, pass);
}

}  // namespace absorb
