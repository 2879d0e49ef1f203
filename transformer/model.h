// The one language model: pre-LayerNorm blocks of attention and a feed-forward layer or experts, learned positions,
// tied embedding (science.md section 2). The backbone alone: the routing is an argument of every pass.
#pragma once

#include "attention/attention.h"
#include "moe/moe.h"
#include "transformer/ops/embedding.h"
#include "transformer/ops/norm.h"

namespace absorb {

struct ModelSettings {
  int64_t layers = 2, width = 128, heads = 4, context = 128;
  int64_t feed_forward = 0;
  double dropout = 0;
  double init_std = 0.02;
  std::string activation = "gelu";
  double layer_loss = 0;                // what the layers' own losses weigh in training (per-layer supervision)
  std::string layer_gradients = "all";  // "own": none passes from a block into the one before
  AttentionSettings attention;
  MoeSettings moe;
};
void fields(Fields& list, ModelSettings& settings);

/// What a target routes; a run's target also decides whether blocks hold experts.
struct Target {
  bool attention = false, moe = false;
};
/// "dense", "attention", "moe" or "both".
Target target_named(const std::string& name);

class Model {
 public:
  /// UserError when the sizes don't fit (width not divisible by heads). `experts`: blocks hold experts.
  Model(const ModelSettings& settings, int64_t vocabulary, bool experts, const Parameters& parameters);
  /// tokens, targets [B,T] int64 -> [B,T] nats; 0 where the target is -1.
  Tensor losses(const Tensor& tokens, const Tensor& targets, const Routes& routes, Pass& pass) const;
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
  /// losses() in a pass that knows its tokens.
  Tensor run(const Tensor& tokens, const Tensor& targets, const Routes& routes, Pass& pass) const;
  ModelSettings settings_;
  int64_t vocabulary_;
  Embedding embedding_;
  Norm final_norm_;
  std::vector<std::shared_ptr<const Block>> blocks_;
};

/// Routes of every site that `target` routes; routers are added below `parameters`.
Routes make_routes(const Model& model, const Target& target, const RoutingSettings& attention,
                   const RoutingSettings& moe, const Parameters& parameters, const Moments* attention_moments = nullptr,
                   const Moments* moe_moments = nullptr);

}  // namespace absorb
