// What a study says under [model]: the backbone, by keys.
#pragma once

#include "attention/attention.h"
#include "moe/moe.h"
#include "transformer/ops/norm.h"

namespace absorb {

/// Tokens that a sequence may hold.
inline constexpr int64_t most_context = 1 << 17;

struct ModelSettings {
  std::string from;        // a Hugging Face folder that the rest is taken from; empty once it is
  int64_t vocabulary = 0;  // rows of the embedding; 0: the data's ids
  int64_t layers = 2, width = 128, heads = 4, context = 128;
  int64_t feed_forward = 0;
  double dropout = 0;
  double init_std = 0.02;
  std::string activation = "gelu";
  bool biases = true;
  std::string norm = "layer";
  double norm_eps = 1e-5;
  std::string norm_at = "before";
  std::string position = "learned";
  RopeSettings rope;
  bool tied = true;
  double logit_scale = 1;
  double z_loss = 0;
  double layer_loss = 0;                // what the layers' own losses weigh in training (per-layer supervision)
  std::string layer_gradients = "all";  // "own": none passes from a block into the one before
  AttentionSettings attention;
  MoeSettings moe;

  bool after() const { return norm_at == "after"; }
  NormSettings norms() const { return {norm, norm_eps}; }
};
void fields(Fields& list, ModelSettings& settings);
/// UserError where the settings contradict each other, in one line that names both.
void require_sense(const ModelSettings& settings);

/// Rows of the embedding for data of so many ids. UserError where these are more.
int64_t vocabulary_rows(const ModelSettings& settings, int64_t ids);
/// The feed-forward layer's hidden width: settings.feed_forward, or where that is 0, 4 x width; with swiglu, which has
/// three matrices in place of two, 8/3 x width to the next multiple of 8.
int64_t hidden_width(const ModelSettings& settings);
/// An expert's: settings.moe.hidden, or hidden_width / experts.
int64_t expert_width(const ModelSettings& settings);
AttentionShape attention_shape(const ModelSettings& settings, int64_t layer);
/// Whether a layer holds experts where the target has them.
bool holds_experts(const MoeSettings& settings, int64_t layer);

}  // namespace absorb
