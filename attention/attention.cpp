#include "attention/attention.h"

#include <torch/types.h>

#include "core/error.h"
#include "tensors/linear/linear.h"
#include "tensors/rms_norm.h"

namespace absorb {
namespace {

/// [B,T,n d] -> [B,n,T,d]
Tensor by_head(const Tensor& x, int64_t dim) {
  return x.view({x.size(0), x.size(1), -1, dim}).transpose(1, 2);
}

/// [B,KV,T,d] -> [B,H,T,d], each of them for H / KV heads in a row.
Tensor shared_out(const Tensor& x, int64_t heads) {
  if (x.size(1) == heads) return x;
  return x.unsqueeze(2)
      .expand({x.size(0), x.size(1), heads / x.size(1), x.size(2), x.size(3)})
      .reshape({x.size(0), heads, x.size(2), x.size(3)});
}

Tensor with_bias(const Tensor& y, const Tensor& bias) {
  return bias.defined() ? y + bias.to(y.scalar_type()) : y;
}

}  // namespace

void fields(Fields& list, AttentionSettings& settings) {
  list.field(
      "native", settings.native, {"qk", "none"},
      "Own scores of routed attention: QK^T, or none, so that the router alone decides. Attention that isn't routed "
      "keeps its QK^T.");
  list.field(
      "kv_heads", settings.kv_heads, {0, 1024},
      "Heads of keys and values, each shared by heads / kv_heads heads of queries (arXiv:2305.13245); 0: heads.");
  list.field("head_dim", settings.head_dim, {0, 1024}, "Width of a head; 0: width / heads.");
  list.field("qk_norm", settings.qk_norm, {"none", "head", "full"},
             "Root-mean-square norm of queries and keys before their positions: of each head (Qwen3), or over all "
             "heads at once (OLMo 2).");
  list.field("biases", settings.biases, {"none", "qkv", "qkvo"}, "Which of its products have biases.");
}

AttentionHeads attention_heads(const AttentionSettings& settings, const AttentionShape& shape) {
  AttentionHeads out{shape.heads, settings.kv_heads > 0 ? settings.kv_heads : shape.heads, settings.head_dim};
  require(out.dim > 0 || shape.width % shape.heads == 0,
          "model.width = {} is not divisible by model.heads = {}: change one of them, or say model.attention.head_dim",
          shape.width, shape.heads);
  if (out.dim == 0) out.dim = shape.width / shape.heads;
  require(out.heads % out.kv_heads == 0,
          "model.heads = {} is not divisible by model.attention.kv_heads = {}: heads share keys in groups of one size",
          out.heads, out.kv_heads);
  require(!shape.rope || out.dim % 2 == 0, "model.position = \"rope\" turns pairs of numbers: a head of {} is odd",
          out.dim);
  return out;
}

Attention::Attention(Site site, const AttentionSettings& settings, const AttentionShape& shape,
                     const Parameters& parameters)
    : site_(std::move(site)),
      settings_(settings),
      shape_(shape),
      heads_(attention_heads(settings, shape)),
      has_scores_(settings.native == "qk") {
  const int64_t width = shape.width;
  const Component q{shape.layer, Part::q, 0}, k{shape.layer, Part::k, 0}, v{shape.layer, Part::v, 0},
      o{shape.layer, Part::o, 0};
  const auto slices = [&](const std::string& suffix, Init init) {
    std::vector<Slice> out;
    if (has_scores_) {
      out.push_back({"q" + suffix, q, heads_.q_rows(), init});
      out.push_back({"k" + suffix, k, heads_.kv_rows(), init});
    }
    out.push_back({"v" + suffix, v, heads_.kv_rows(), init});
    return out;
  };
  const Init init = Init::normal(shape.init_std);
  qkv_ = parameters.pack("qkv", {width}, slices("", init), site_);
  out_ = parameters.add("o", {width, heads_.q_rows()}, init, o);
  if (settings.biases != "none") qkv_bias_ = parameters.pack("qkv_bias", {}, slices("_bias", Init::zeros()));
  if (settings.biases == "qkvo") out_bias_ = parameters.add("o_bias", {width}, Init::zeros(), o);
  if (!has_scores_ || settings.qk_norm == "none") return;
  const bool each = settings.qk_norm == "head";
  q_norm_ = parameters.add("q_norm", {each ? heads_.dim : heads_.q_rows()}, Init::ones(), q);
  k_norm_ = parameters.add("k_norm", {each ? heads_.dim : heads_.kv_rows()}, Init::ones(), k);
}

RoutingTask Attention::task() const {
  return {.width = shape_.width,
          .groups = shape_.heads,
          .visible = Visible::causal,
          .component = {shape_.layer, Part::attention_router, 0},
          .context = shape_.context,
          .input = site_};
}

// [B,T,n d] -> [B,n,T,d]
Tensor Attention::normed(const Tensor& x, const Tensor& weight) const {
  if (!weight.defined()) return by_head(x, heads_.dim);
  if (settings_.qk_norm == "full") return by_head(rms_norm(x, weight, shape_.norm_epsilon), heads_.dim);
  return rms_norm(by_head(x, heads_.dim), weight, shape_.norm_epsilon);
}

AttendInput Attention::project(const Tensor& x, bool with_followers, Pass& pass) const {
  AttendInput in;
  const Tensor packed =
      with_bias(with_followers ? linear_with_followers(x, qkv_, pass) : linear(x, qkv_, pass), qkv_bias_);
  in.dropout = shape_.dropout;
  in.site = site_;
  const bool alike = heads_.kv_heads == heads_.heads;
  if (alike && !q_norm_.defined() && !shape_.rope) {
    in.packed = packed;
    // unbind, not select: its gradient is one concatenation, that of a select a whole tensor of zeros.
    const auto parts =
        packed.view({x.size(0), x.size(1), -1, heads_.heads, heads_.dim}).permute({2, 0, 3, 1, 4}).unbind(0);
    if (has_scores_) {
      in.q = parts[0];
      in.k = parts[1];
    }
    in.v = parts.back();
    return in;
  }
  std::vector<int64_t> rows = {heads_.kv_rows()};
  if (has_scores_) rows = {heads_.q_rows(), heads_.kv_rows(), heads_.kv_rows()};
  const auto parts = packed.split_with_sizes(rows, -1);
  in.v = shared_out(by_head(parts.back(), heads_.dim), heads_.heads);
  if (!has_scores_) return in;
  in.q = normed(parts[0], q_norm_);
  in.k = normed(parts[1], k_norm_);
  if (shape_.rope) {
    const Rotation by = pass_rotation(*shape_.rope, in.q, pass);
    in.q = rotated(in.q, by);
    in.k = rotated(in.k, by);
  }
  in.k = shared_out(in.k, heads_.heads);
  return in;
}

Tensor Attention::operator()(const Tensor& x, const Routes& routes, Pass& pass) const {
  const int64_t items = x.size(1);
  const Route* route = routes.find(site_);
  AttendInput in = project(x, route != nullptr && !route->settings().detach_input, pass);
  Routing routing;
  if (route != nullptr) {
    RouterInput input{x, x, {}};
    if (has_scores_) {
      input.native.batch = x.size(0);
      input.native.groups = heads_.heads;
      input.native.items_count = input.native.choices_count = items;
      input.native.items = in.q;
      input.native.factor = 1.0 / std::sqrt(static_cast<double>(heads_.dim));
      input.native.choices = in.k;
      input.native.device = x.device();
    }
    in.apply = apply_named(route->settings().apply);
    routing = (*route)(input, pass);
    if (routes.observe) routes.observe(site_, routing, input);
  }
  pass.scratch.products.clear();
  return with_bias(linear(attend(in, route == nullptr ? nullptr : &routing, pass), out_, pass), out_bias_);
}

}  // namespace absorb
