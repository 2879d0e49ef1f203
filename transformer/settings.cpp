#include "transformer/settings.h"

#include <algorithm>

#include "core/error.h"
#include "moe/activation.h"

namespace absorb {

void fields(Fields& list, ModelSettings& s) {
  list.field("from", s.from,
             "A Hugging Face folder (docs/huggingface.md): its sizes, under other keys of [model], and its weights.");
  list.field("vocabulary", s.vocabulary, {0, int64_t{1} << 32},
             "Rows of the embedding; 0: as many as the data has ids.");
  list.field("layers", s.layers, {1, 1024}, "Blocks.");
  list.field("width", s.width, {1, 1 << 16}, "Width of the residual stream.");
  list.field("heads", s.heads, {1, 1024}, "Attention heads; they divide the width.");
  list.field("context", s.context, {2, most_context}, "Tokens in a sequence.");
  list.field("feed_forward", s.feed_forward, {0, 1 << 20},
             "Hidden width of the feed-forward layer; 0: 4 x width, with swiglu 8/3 x width.");
  list.field("dropout", s.dropout, {0, 0.99},
             "On embeddings, attention weights, after the activation and after the feed-forward layer.");
  list.field("init_std", s.init_std, {0, 10}, "Standard deviation of initial weights.");
  list.field("activation", s.activation, activations(),
             "Of the feed-forward layer; swiglu: silu of one half of the first product times the other.");
  list.field("biases", s.biases, "Whether the feed-forward layer has biases.");
  list.field("norm", s.norm, {"layer", "rms"}, "Layer norm, or root-mean-square norm without shift.");
  list.field("norm_eps", s.norm_eps, {0, 1}, "What norms add to the variance, or the mean square.");
  list.field("norm_at", s.norm_at, {"before", "after"},
             "A layer reads the stream's norm, or reads the stream and adds the norm of what it made (OLMo 2).");
  list.field("position", s.position, {"learned", "rope"},
             "A table that is added to the embedding, or queries and keys turned by position.");
  nested(list, "rope", s.rope, "Rotary positions, with position = \"rope\".");
  list.field("tied", s.tied, "Whether the head is the embedding's table, or has one of its own.");
  list.field("logit_scale", s.logit_scale, {1e-6, 1e6}, "What the vocabulary's logits are multiplied by.");
  list.field("z_loss", s.z_loss, {0, 1e3},
             "Coefficient of the mean squared logsumexp of the vocabulary's logits, a loss of training alone: it keeps "
             "their scale from drifting (arXiv:2204.02311).");
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

void require_sense(const ModelSettings& s) {
  require(s.layer_gradients == "all" || s.layer_loss > 0,
          "model.layer_gradients = \"own\" leaves all blocks but the last without a loss: set model.layer_loss");
  attention_heads(s.attention, attention_shape(s, 0));
  require(s.rope.low < s.rope.high, "model.rope.low = {} must lie below model.rope.high = {}", s.rope.low, s.rope.high);
  for (const int64_t layer : s.moe.layers)
    require(layer < s.layers, "model.moe.layers names layer {}, and the last of {} is {}", layer, s.layers,
            s.layers - 1);
}

int64_t vocabulary_rows(const ModelSettings& s, int64_t ids) {
  if (s.vocabulary == 0) return ids;
  require(ids <= s.vocabulary, "the data has {} token ids, and model.vocabulary = {}", ids, s.vocabulary);
  return s.vocabulary;
}

int64_t hidden_width(const ModelSettings& s) {
  if (s.feed_forward > 0) return s.feed_forward;
  return inputs_of_activation(s.activation) == 2 ? (8 * s.width / 3 + 7) / 8 * 8 : 4 * s.width;
}

int64_t expert_width(const ModelSettings& s) {
  return s.moe.hidden > 0 ? s.moe.hidden : std::max<int64_t>(hidden_width(s) / s.moe.experts, 1);
}

AttentionShape attention_shape(const ModelSettings& s, int64_t layer) {
  AttentionShape shape{layer, s.width, s.heads, s.context, s.dropout, s.init_std, s.norm_eps, {}};
  if (s.position == "rope") shape.rope = s.rope;
  return shape;
}

bool holds_experts(const MoeSettings& settings, int64_t layer) {
  return settings.layers.empty() || std::ranges::find(settings.layers, layer) != settings.layers.end();
}

}  // namespace absorb
