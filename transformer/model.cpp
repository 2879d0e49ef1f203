#include "transformer/model.h"

#include <torch/types.h>

#include <optional>

#include "core/error.h"
#include "moe/activation.h"
#include "tensors/autocast.h"
#include "tensors/linear.h"
#include "transformer/fused.h"

namespace absorb {

void fields(Fields& list, ModelSettings& s) {
  list.field("layers", s.layers, {1, 1024}, "Blocks.");
  list.field("width", s.width, {1, 1 << 16}, "Width of the residual stream.");
  list.field("heads", s.heads, {1, 1024}, "Attention heads; they divide the width.");
  list.field("context", s.context, {2, 1 << 17}, "Tokens in a sequence.");
  list.field("feed_forward", s.feed_forward, {0, 1 << 20}, "Hidden width of the feed-forward layer; 0: 4 x width.");
  list.field("dropout", s.dropout, {0, 0.99},
             "On embeddings, attention weights, after the activation and after the feed-forward layer.");
  list.field("init_std", s.init_std, {0, 10}, "Standard deviation of initial weights.");
  list.field("activation", s.activation, {"gelu", "gelu_tanh", "none"}, "Of the feed-forward layer.");
  nested(list, "attention", s.attention, "Attention.");
  nested(list, "moe", s.moe, "Experts, in targets moe and both.");
}

Target target_named(const std::string& name) {
  require(name == "dense" || name == "attention" || name == "moe" || name == "both",
          "unknown target \"{}\"; known: dense, attention, moe, both", name);
  return {name == "attention" || name == "both", name == "moe" || name == "both"};
}

struct Model::Block {
  std::vector<Tensor> attention_norm, feed_forward_norm;
  std::optional<Attention> attention;
  std::optional<Moe> moe;
  Tensor in, in_bias, out, out_bias;  // [F,D], [F], [F,D], [D]
  Site site;
};

namespace {

std::vector<Tensor> add_norm(const Parameters& parameters, const std::string& name, int64_t width, int64_t layer) {
  return {parameters.add(name + ".weight", {width}, Init::ones(), {layer, Part::norm, 0}),
          parameters.add(name + ".bias", {width}, Init::zeros(), {layer, Part::norm, 0})};
}

}  // namespace

Model::Model(const ModelSettings& settings, int64_t vocabulary, bool experts, const Parameters& parameters)
    : settings_(settings), vocabulary_(vocabulary) {
  const int64_t width = settings.width;
  require(width % settings.heads == 0, "model.width = {} is not divisible by model.heads = {}", width, settings.heads);
  if (settings_.feed_forward == 0) settings_.feed_forward = 4 * width;
  if (settings_.moe.hidden == 0)
    settings_.moe.hidden = std::max<int64_t>(settings_.feed_forward / settings.moe.experts, 1);
  const Init init = Init::normal(settings.init_std);
  token_ = parameters.add("embedding.token", {vocabulary, width}, init, {-1, Part::embedding, 0});
  position_ = parameters.add("embedding.position", {settings.context, width}, init, {-1, Part::embedding, 1});
  for (int64_t layer = 0; layer < settings.layers; ++layer) {
    auto block = std::make_shared<Block>();
    const std::string name = fmt::format("blocks.{}", layer);
    const Parameters scope = parameters.scope(name);
    block->attention_norm = add_norm(scope, "attention_norm", width, layer);
    block->attention.emplace(
        name + ".attention", settings.attention,
        AttentionShape{layer, width, settings.heads, settings.context, settings.dropout, settings.init_std},
        scope.scope("attention"));
    block->feed_forward_norm = add_norm(scope, "feed_forward_norm", width, layer);
    block->site = name + ".feed_forward";
    if (experts) {
      block->moe.emplace(name + ".experts", settings_.moe, MoeShape{layer, width, settings.dropout, settings.init_std},
                         scope.scope("experts"));
    } else {
      const Parameters inner = scope.scope("feed_forward");
      const Component part{layer, Part::feed_forward, 0};
      block->in = inner.add("in", {settings_.feed_forward, width}, init, part);
      block->in_bias = inner.add("in_bias", {settings_.feed_forward}, Init::zeros(), part);
      block->out = inner.add("out", {settings_.feed_forward, width}, init, part);
      block->out_bias = inner.add("out_bias", {width}, Init::zeros(), part);
    }
    blocks_.push_back(std::move(block));
  }
  final_norm_ = add_norm(parameters, "final_norm", width, -1);
}

Tensor Model::normalised(const Tensor& x, const std::vector<Tensor>& norm) const {
  return at::layer_norm(x, {settings_.width}, norm[0], norm[1]);
}

fused::Branch Model::fused_feed_forward(const Block& block, const Tensor& h, const Routes& routes, Pass& pass) const {
  if (block.moe) return {(*block.moe)(h, routes, pass), {}, settings_.dropout, block.site};
  const Activation activation{settings_.activation, block.in_bias, {}, settings_.dropout, block.site + "/hidden"};
  return {product(activated(h, block.in, activation, pass), block.out, pass), block.out_bias, settings_.dropout,
          block.site};
}

Tensor Model::fused_losses(const Tensor& tokens, const Tensor& targets, const Routes& routes, Pass& pass) const {
  fused::Branch branch;
  Tensor x = fused::embed(tokens, token_, position_, settings_.dropout, pass);
  const auto normed = [&](const std::vector<Tensor>& norm) {
    fused::Normed next = fused::add_norm(x, branch, norm[0], norm[1], pass);
    x = next.x;
    return next.h;
  };
  for (const auto& block : blocks_) {
    branch = {(*block->attention)(normed(block->attention_norm), routes, pass)};
    branch = fused_feed_forward(*block, normed(block->feed_forward_norm), routes, pass);
  }
  return fused::head_losses(normed(final_norm_), token_, targets, pass);
}

Tensor Model::feed_forward(const Block& block, const Tensor& x, const Routes& routes, Pass& pass) const {
  if (block.moe) return (*block.moe)(x, routes, pass);
  const Tensor flat = x.reshape({-1, settings_.width});
  const Tensor h = activated(
      flat, block.in, {settings_.activation, block.in_bias, {}, settings_.dropout, block.site + "/hidden"}, pass);
  return at::addmm(block.out_bias, h, block.out).view(x.sizes());
}

Tensor Model::losses(const Tensor& tokens, const Tensor& targets, const Routes& routes, Pass& pass) const {
  pass.tokens = tokens;
  const int64_t batch = tokens.size(0), items = tokens.size(1);
  check(items <= settings_.context, "a sequence of {} tokens in a context of {}", items, settings_.context);
  const AutocastGuard autocast(pass.bf16, tokens.device());
  if (pass.kernels() != nullptr && !pass.write) return fused_losses(tokens, targets, routes, pass);
  Tensor x = at::embedding(token_, tokens) + position_.narrow(0, 0, items);  // [B,T,D]
  x = pass.written("embedding", pass.dropout(x, settings_.dropout, "embedding"));
  for (const auto& block : blocks_) {
    const Tensor attended = (*block->attention)(normalised(x, block->attention_norm), routes, pass);
    x = x + pass.written(block->attention->site(), attended);
    const Tensor y = feed_forward(*block, normalised(x, block->feed_forward_norm), routes, pass);
    x = x + pass.written(block->site, pass.dropout(y, settings_.dropout, block->site));
  }
  const Tensor logits = at::linear(normalised(x, final_norm_).view({batch * items, -1}), token_);  // [B*T,V]
  return at::cross_entropy_loss(logits, targets.reshape({-1}), {}, at::Reduction::None, /*ignore_index=*/-1)
      .view({batch, items});
}

Tensor Model::direct_effect(const Tensor& output, const Tensor& stream, const Tensor& targets) const {
  constexpr double epsilon = 1e-5;                                               // layer_norm's
  const Tensor scale = at::rsqrt(stream.var(-1, /*unbiased=*/false) + epsilon);  // [B,T]
  const Tensor normed = (output - output.mean(-1, /*keepdim=*/true)) * scale.unsqueeze(-1) * final_norm_[0];
  const Tensor direction = at::embedding(token_, targets.clamp_min(0)) - token_.mean(0);  // [B,T,D]
  return (normed * direction).sum(-1) * (targets >= 0);
}

std::vector<Site> Model::writers() const {
  std::vector<Site> writers = {"embedding"};
  for (const auto& block : blocks_) {
    writers.push_back(block->attention->site());
    writers.push_back(block->site);
  }
  return writers;
}

std::vector<std::pair<Site, RoutingTask>> Model::sites() const {
  std::vector<std::pair<Site, RoutingTask>> sites;
  for (const auto& block : blocks_) {
    sites.emplace_back(block->attention->site(), block->attention->task());
    if (block->moe) sites.emplace_back(block->moe->site(), block->moe->task());
  }
  for (auto& [site, task] : sites) {
    task.vocabulary = vocabulary_;
    task.context = settings_.context;
  }
  return sites;
}

Routes make_routes(const Model& model, const Target& target, const RoutingSettings& attention,
                   const RoutingSettings& moe, const Parameters& parameters, const Moments* attention_moments,
                   const Moments* moe_moments) {
  Routes routes;
  for (const auto& [site, task] : model.sites()) {
    if (task.attention() ? !target.attention : !target.moe) continue;
    routes.at[site] = make_route(site, task, task.attention() ? attention : moe, parameters,
                                 task.attention() ? attention_moments : moe_moments);
  }
  return routes;
}

}  // namespace absorb
