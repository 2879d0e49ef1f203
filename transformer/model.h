// The one language model: blocks of attention and a feed-forward layer or experts, whose parts are settings
// (transformer/settings.h). The backbone alone: the routing is an argument of every pass.
#pragma once

#include "transformer/ops/embedding.h"
#include "transformer/settings.h"

namespace absorb {

/// What a target routes; a run's target also decides whether blocks hold experts.
struct Target {
  bool attention = false, moe = false;
};
/// "dense", "attention", "moe" or "both".
Target target_named(const std::string& name);

class Model {
 public:
  /// UserError where the settings contradict each other. `experts`: the blocks that settings.moe.layers names hold
  /// experts.
  Model(const ModelSettings& settings, int64_t vocabulary, bool experts, const Parameters& parameters);
  /// tokens, targets [B,T] int64 -> [B,T] nats; 0 where the target is -1.
  Tensor losses(const Tensor& tokens, const Tensor& targets, const Routes& routes, Pass& pass) const;
  /// tokens [B,T] int64 -> [B,T,V], what losses() takes the softmax of.
  Tensor logits(const Tensor& tokens, const Routes& routes, Pass& pass) const;
  /// Direct effect of what one writer added to the residual stream, [B,T] logits: the target's logit less the mean
  /// logit of the vocabulary, through the final norm with its scale frozen at that of `stream` [B,T,D]
  /// (arXiv:2307.15771; the norm's shift is left out, as it belongs to no writer). `output` [B,T,D]; 0 where the target
  /// is -1.
  Tensor direct_effect(const Tensor& output, const Tensor& stream, const Tensor& targets) const;
  /// What writes to the residual stream, in order: "embedding", then each block's attention and feed-forward layer.
  std::vector<Site> writers() const;
  /// Every place where routing may stand, with its task.
  std::vector<std::pair<Site, RoutingTask>> sites() const;
  /// The experts of a site; null where it has none.
  const Experts* experts(const Site& site) const;

 private:
  struct Block;
  /// Scalar: the mean loss of `early`, each [B,T,D], one block's stream after the final norm, by the model's own head.
  Tensor layer_losses(const std::vector<Tensor>& early, const Tensor& targets) const;
  /// [V,D]: the embedding's where they are tied.
  const Tensor& head() const { return head_.defined() ? head_ : embedding_.token; }
  /// What a block adds to the stream x, whose last branch is pending: see run_block().
  struct Stream;
  void run_block(const Block& block, Stream& stream, const Routes& routes, Pass& pass) const;
  /// work() in a pass that knows its tokens.
  template <class Work>
  Tensor knowing(const Tensor& tokens, Pass& pass, const Work& work) const;
  /// [B,T,D], what the head multiplies, in a pass that knows its tokens. `targets` undefined: no layer is supervised.
  Tensor run(const Tensor& tokens, const Tensor& targets, const Routes& routes, Pass& pass) const;
  ModelSettings settings_;
  int64_t vocabulary_;
  Embedding embedding_;
  Norm final_norm_;
  Tensor head_;  // [V,D], undefined where it is tied
  std::vector<std::shared_ptr<const Block>> blocks_;
};

/// Routes of every site that `target` routes; routers are added below `parameters`.
Routes make_routes(const Model& model, const Target& target, const RoutingSettings& attention,
                   const RoutingSettings& moe, const Parameters& parameters, const Moments* attention_moments = nullptr,
                   const Moments* moe_moments = nullptr);

}  // namespace absorb
