#include "transformer/model.h"

#include <torch/types.h>

#include <optional>

#include "core/error.h"
#include "tensors/autocast.h"
#include "transformer/ops/feed_forward.h"
#include "transformer/ops/head.h"

namespace absorb {

Target target_named(const std::string& name) {
  require(name == "dense" || name == "attention" || name == "moe" || name == "both",
          "unknown target \"{}\"; known: dense, attention, moe, both", name);
  return {name == "attention" || name == "both", name == "moe" || name == "both"};
}

struct Model::Block {
  Norm attention_norm, feed_forward_norm;
  std::optional<Attention> attention;
  std::optional<Moe> moe;
  std::optional<FeedForward> feed_forward;  // where there are no experts, or the expert that they share
  Site site;                                // of whichever of the two
};

Model::Model(const ModelSettings& settings, int64_t vocabulary, bool experts, const Parameters& parameters)
    : settings_(settings), vocabulary_(vocabulary_rows(settings, vocabulary)) {
  require_sense(settings);
  const int64_t width = settings.width;
  settings_.feed_forward = hidden_width(settings);
  settings_.moe.hidden = expert_width(settings);
  const Init init = Init::normal(settings.init_std);
  embedding_ =
      make_embedding(parameters, vocabulary_, settings.position == "learned" ? settings.context : 0, width, init);
  embedding_.dropout = settings.dropout;
  for (int64_t layer = 0; layer < settings.layers; ++layer) {
    auto block = std::make_shared<Block>();
    const std::string name = fmt::format("blocks.{}", layer);
    const Parameters scope = parameters.scope(name);
    block->attention_norm = make_norm(scope, "attention_norm", width, layer, settings.norms());
    block->attention.emplace(name + ".attention", settings.attention, attention_shape(settings, layer),
                             scope.scope("attention"));
    block->feed_forward_norm = make_norm(scope, "feed_forward_norm", width, layer, settings.norms());
    block->site = name + ".feed_forward";
    const bool holds = experts && holds_experts(settings.moe, layer);
    if (holds)
      block->moe.emplace(name + ".experts", settings_.moe, MoeShape{layer, width, settings.dropout, settings.init_std},
                         scope.scope("experts"));
    if (!holds || settings.moe.shared > 0) {
      const FeedForwardShape dense{layer, width, settings_.feed_forward, settings.activation, settings.biases},
          shared{layer, width, settings.moe.shared, settings.moe.activation, settings.moe.biases};
      block->feed_forward =
          make_feed_forward(scope.scope(holds ? "shared" : "feed_forward"), holds ? shared : dense, init);
      block->feed_forward->dropout = settings.dropout;
      block->feed_forward->site = block->site;
    }
    blocks_.push_back(std::move(block));
  }
  final_norm_ = make_norm(parameters, "final_norm", width, -1, settings.norms());
  if (!settings.tied) head_ = parameters.add("head", {vocabulary_, width}, init, {-1, Part::head, 0});
}

Tensor Model::losses(const Tensor& tokens, const Tensor& targets, const Routes& routes, Pass& pass) const {
  return knowing(tokens, pass, [&](Pass& informed) {
    const AutocastGuard autocast(pass.in.bf16, tokens.device());
    const Tensor h = run(tokens, targets, routes, informed);
    if (settings_.z_loss > 0 && pass.in.training) {
      const Tensor sums = at::linear(h, head()).logsumexp(-1), read = targets >= 0;
      informed.out.losses["head_z"] =
          settings_.z_loss * (sums.square() * read).sum() / read.sum().to(sums.scalar_type());
    }
    return head_losses(h, head(), targets, informed);
  });
}

Tensor Model::logits(const Tensor& tokens, const Routes& routes, Pass& pass) const {
  return knowing(tokens, pass, [&](Pass& informed) {
    const AutocastGuard autocast(pass.in.bf16, tokens.device());
    return at::linear(run(tokens, {}, routes, informed), head());
  });
}

template <class Work>
Tensor Model::knowing(const Tensor& tokens, Pass& pass, const Work& work) const {
  check(tokens.size(1) <= settings_.context, "a sequence of {} tokens in a context of {}", tokens.size(1),
        settings_.context);
  PassInput input = pass.in;
  input.tokens = tokens;
  return with_input(pass, std::move(input), work);
}

/// The residual stream on its way through the blocks.
struct Model::Stream {
  Tensor x;       // [B,T,D]
  Branch branch;  // what the layer before adds to x
  /// The norm of the stream, once what is pending is added.
  Tensor normed(const Norm& norm, const Pass& pass) {
    const Normed next = add_norm(x, branch, norm, pass);
    x = next.x;
    branch = {};
    return next.h;
  }
  /// The stream, once what is pending is added.
  const Tensor& added(const Pass& pass) {
    x = add_branch(x, branch, pass);
    branch = {};
    return x;
  }
};

void Model::run_block(const Block& block, Stream& stream, const Routes& routes, Pass& pass) const {
  const bool after = settings_.after();
  const auto read = [&](const Norm& norm) { return after ? stream.added(pass) : stream.normed(norm, pass); };
  const auto left = [&](Branch branch, const Norm& norm) {
    if (after) {
      branch.y = norm_of(branch.bias.defined() ? branch.y + branch.bias : branch.y, norm);
      branch.bias = Tensor();
    }
    stream.branch = std::move(branch);
  };
  left({(*block.attention)(read(block.attention_norm), routes, pass), {}, 0, block.attention->site()},
       block.attention_norm);
  const Tensor h = read(block.feed_forward_norm);
  Branch branch =
      block.feed_forward ? feed_forward(h, *block.feed_forward, pass) : Branch{{}, {}, settings_.dropout, block.site};
  if (block.moe) {
    const Tensor y = (*block.moe)(h, routes, pass);
    branch.y = branch.y.defined() ? y + branch.y : y;
  }
  left(std::move(branch), block.feed_forward_norm);
}

Tensor Model::run(const Tensor& tokens, const Tensor& targets, const Routes& routes, Pass& pass) const {
  Stream stream{embed(tokens, embedding_, pass), {}};
  const bool supervised = settings_.layer_loss > 0 && targets.defined() && (pass.in.training || pass.in.layers);
  std::vector<Tensor> early;  // the stream after every block but the last, where layers are supervised
  for (const auto& block : blocks_) {
    if (settings_.layer_gradients != "all" && block != blocks_.front()) {
      stream.x = stream.x.detach();
      stream.branch = stream.branch.detached();
    }
    run_block(*block, stream, routes, pass);
    if (supervised && block != blocks_.back())
      early.push_back(add_norm_composition(stream.x, stream.branch, final_norm_, pass).h);
  }
  if (!early.empty()) pass.out.losses["layers"] = settings_.layer_loss * layer_losses(early, targets);
  const Tensor h = stream.normed(final_norm_, pass);
  const double scale = pass.in.logit_scale * settings_.logit_scale;
  return scale == 1 ? h : h * scale;
}

Tensor Model::layer_losses(const std::vector<Tensor>& early, const Tensor& targets) const {
  const Tensor texts = at::cat(std::vector<Tensor>(early.size(), targets));  // [L B,T]
  const Tensor nats = head_losses_composition(at::cat(early) * settings_.logit_scale, head(), texts);
  return nats.sum() / (texts >= 0).sum().to(nats.scalar_type());
}

Tensor Model::direct_effect(const Tensor& output, const Tensor& stream, const Tensor& targets) const {
  return logits_above_mean(norm_at_scale_of(stream, output, final_norm_) * settings_.logit_scale, head(), targets);
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
    if (task.attention() && !routes_layer(attention, task.component.layer)) continue;
    routes.at[site] = make_route(site, task, task.attention() ? attention : moe, parameters,
                                 task.attention() ? attention_moments : moe_moments);
  }
  return routes;
}

}  // namespace absorb
