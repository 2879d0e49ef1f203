#include "transformer/model.h"

#include <torch/types.h>

#include <optional>

#include "core/error.h"
#include "tensors/autocast.h"
#include "transformer/ops/feed_forward.h"
#include "transformer/ops/head.h"

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
  list.field(
      "layer_loss", s.layer_loss, {0, 1e3},
      "Per-layer supervision: in training the final norm and the head read the stream after every block, and this "
      "times the mean loss of all but the last is added. A control: layers that must predict by themselves have "
      "less to make up for each other.");
  list.field("layer_gradients", s.layer_gradients, {"all", "own"},
             "own: no gradient passes from a block into the one before, so that each learns from its own layer's loss "
             "alone (greedy layers); needs layer_loss above 0.");
  nested(list, "attention", s.attention, "Attention.");
  nested(list, "moe", s.moe, "Experts, in targets moe and both.");
}

Target target_named(const std::string& name) {
  require(name == "dense" || name == "attention" || name == "moe" || name == "both",
          "unknown target \"{}\"; known: dense, attention, moe, both", name);
  return {name == "attention" || name == "both", name == "moe" || name == "both"};
}

struct Model::Block {
  Norm attention_norm, feed_forward_norm;
  std::optional<Attention> attention;
  std::optional<Moe> moe;
  std::optional<FeedForward> feed_forward;  // where there are no experts
  Site site;                                // of whichever of the two
};

Model::Model(const ModelSettings& settings, int64_t vocabulary, bool experts, const Parameters& parameters)
    : settings_(settings), vocabulary_(vocabulary) {
  const int64_t width = settings.width;
  require(settings.layer_gradients == "all" || settings.layer_loss > 0,
          "model.layer_gradients = \"own\" leaves all blocks but the last without a loss: set model.layer_loss");
  require(width % settings.heads == 0, "model.width = {} is not divisible by model.heads = {}", width, settings.heads);
  if (settings_.feed_forward == 0) settings_.feed_forward = 4 * width;
  if (settings_.moe.hidden == 0)
    settings_.moe.hidden = std::max<int64_t>(settings_.feed_forward / settings.moe.experts, 1);
  const Init init = Init::normal(settings.init_std);
  embedding_ = make_embedding(parameters, vocabulary, settings.context, width, init);
  embedding_.dropout = settings.dropout;
  for (int64_t layer = 0; layer < settings.layers; ++layer) {
    auto block = std::make_shared<Block>();
    const std::string name = fmt::format("blocks.{}", layer);
    const Parameters scope = parameters.scope(name);
    block->attention_norm = make_norm(scope, "attention_norm", width, layer);
    block->attention.emplace(
        name + ".attention", settings.attention,
        AttentionShape{layer, width, settings.heads, settings.context, settings.dropout, settings.init_std},
        scope.scope("attention"));
    block->feed_forward_norm = make_norm(scope, "feed_forward_norm", width, layer);
    block->site = name + ".feed_forward";
    if (experts) {
      block->moe.emplace(name + ".experts", settings_.moe, MoeShape{layer, width, settings.dropout, settings.init_std},
                         scope.scope("experts"));
    } else {
      block->feed_forward = make_feed_forward(scope.scope("feed_forward"), layer, width, settings_.feed_forward, init);
      block->feed_forward->activation = settings.activation;
      block->feed_forward->dropout = settings.dropout;
      block->feed_forward->site = block->site;
    }
    blocks_.push_back(std::move(block));
  }
  final_norm_ = make_norm(parameters, "final_norm", width, -1);
}

Tensor Model::losses(const Tensor& tokens, const Tensor& targets, const Routes& routes, Pass& pass) const {
  check(tokens.size(1) <= settings_.context, "a sequence of {} tokens in a context of {}", tokens.size(1),
        settings_.context);
  PassInput input = pass.in;
  input.tokens = tokens;
  return with_input(pass, std::move(input), [&](Pass& informed) { return run(tokens, targets, routes, informed); });
}

Tensor Model::run(const Tensor& tokens, const Tensor& targets, const Routes& routes, Pass& pass) const {
  const AutocastGuard autocast(pass.in.bf16, tokens.device());
  Tensor x = embed(tokens, embedding_, pass);  // [B,T,D]
  Branch branch;                               // what the layer before adds to x
  const auto normed = [&](const Norm& norm) {
    const Normed next = add_norm(x, branch, norm, pass);
    x = next.x;
    return next.h;
  };
  const bool supervised = settings_.layer_loss > 0 && (pass.in.training || pass.in.layers);
  std::vector<Tensor> early;  // the stream after every block but the last, where layers are supervised
  for (const auto& block : blocks_) {
    if (settings_.layer_gradients != "all" && block != blocks_.front()) {
      x = x.detach();
      branch = branch.detached();
    }
    branch = {(*block->attention)(normed(block->attention_norm), routes, pass), {}, 0, block->attention->site()};
    const Tensor h = normed(block->feed_forward_norm);
    branch = block->moe ? Branch{(*block->moe)(h, routes, pass), {}, settings_.dropout, block->site}
                        : feed_forward(h, *block->feed_forward, pass);
    if (supervised && block != blocks_.back()) early.push_back(add_norm_composition(x, branch, final_norm_, pass).h);
  }
  if (!early.empty()) pass.out.losses["layers"] = settings_.layer_loss * layer_losses(early, targets);
  const Tensor h = normed(final_norm_);
  return head_losses(pass.in.logit_scale == 1 ? h : h * pass.in.logit_scale, embedding_.token, targets, pass);
}

Tensor Model::layer_losses(const std::vector<Tensor>& early, const Tensor& targets) const {
  const Tensor texts = at::cat(std::vector<Tensor>(early.size(), targets));  // [L B,T]
  const Tensor nats = head_losses_composition(at::cat(early), embedding_.token, texts);
  return nats.sum() / (texts >= 0).sum().to(nats.scalar_type());
}

Tensor Model::direct_effect(const Tensor& output, const Tensor& stream, const Tensor& targets) const {
  return logits_above_mean(norm_at_scale_of(stream, output, final_norm_), embedding_.token, targets);
}

std::vector<Site> Model::writers() const {
  std::vector<Site> writers = {embedding_site};
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

const Experts* Model::experts(const Site& site) const {
  for (const auto& block : blocks_)
    if (block->moe && block->moe->site() == site) return &block->moe->experts();
  return nullptr;
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
