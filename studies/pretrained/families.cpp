#include "studies/pretrained/families.h"

#include <algorithm>

#include "core/error.h"

namespace absorb {
namespace {

using Config = HuggingFaceConfig;

/// What sets the families apart that look like Llama.
struct Llamas {
  const char* name;
  const char* model_class;
  const char* qk_norm = "none";
  const char* biases = "none";  // of attention, where the config doesn't say
  bool after = false;           // norms stand after the layers
  bool experts = false;
  const char* mlp = "mlp";         // that holds a layer's experts
  const char* gate = "gate_proj";  // of an expert
  const char* up = "up_proj";
  const char* down = "down_proj";
  bool renormalised = false;  // kept experts' weights, where the config doesn't say
};

constexpr Llamas llamas[] = {
    {.name = "llama", .model_class = "LlamaForCausalLM"},
    {.name = "mistral", .model_class = "MistralForCausalLM"},
    {.name = "qwen2", .model_class = "Qwen2ForCausalLM", .biases = "qkv"},
    {.name = "qwen3", .model_class = "Qwen3ForCausalLM", .qk_norm = "head"},
    {.name = "olmo2", .model_class = "Olmo2ForCausalLM", .qk_norm = "full", .after = true},
    {.name = "olmoe", .model_class = "OlmoeForCausalLM", .qk_norm = "full", .experts = true},
    {.name = "qwen3_moe", .model_class = "Qwen3MoeForCausalLM", .qk_norm = "head", .experts = true},
    {.name = "mixtral",
     .model_class = "MixtralForCausalLM",
     .experts = true,
     .mlp = "block_sparse_moe",
     .gate = "w1",
     .up = "w3",
     .down = "w2",
     .renormalised = true},
};
constexpr const char* gpt2 = "gpt2";

const Llamas* llama_named(const std::string& family) {
  const auto found = std::ranges::find_if(llamas, [&](const Llamas& one) { return family == one.name; });
  return found == std::end(llamas) ? nullptr : found;
}

void refuse(const Config& config, const std::string& key, const std::string& why) {
  user_error("{}: `{}`: {}", shown(config.file()), key, why);
}

RopeSettings rope_of(const Config& config) {
  const Config now = config.object("rope_parameters"), before = config.object("rope_scaling");
  const Config& said = config.has("rope_parameters") ? now : before;
  RopeSettings rope;
  rope.theta = said.number("rope_theta", config.number("rope_theta", 10000));
  const std::string type = said.text("rope_type", said.text("type", "default"));
  if (said.number("partial_rotary_factor", config.number("partial_rotary_factor", 1)) != 1)
    refuse(config, "partial_rotary_factor", "positions that turn a part of each head aren't read");
  if (type == "default") return rope;
  if (type != "llama3") refuse(config, "rope_type", "\"" + type + "\" isn't read; known: default, llama3");
  rope.scaling = type;
  rope.factor = said.number("factor");
  rope.low = said.number("low_freq_factor");
  rope.high = said.number("high_freq_factor");
  rope.original_context = said.whole("original_max_position_embeddings");
  return rope;
}

void refuse_windows(const Config& config) {
  const bool uses = config.flag("use_sliding_window", config.has("sliding_window"));
  if (uses && config.whole("sliding_window", 0) > 0 &&
      config.whole("sliding_window", 0) < config.whole("max_position_embeddings"))
    refuse(config, "sliding_window", "attention over a window isn't read");
}

void read_experts(const Config& config, const Llamas& family, Architecture& out) {
  out.target = "moe";
  MoeSettings& moe = out.model.moe;
  moe.experts = config.whole(config.has("num_experts") ? "num_experts" : "num_local_experts");
  moe.hidden = config.whole("moe_intermediate_size", out.model.feed_forward);
  moe.activation = "swiglu";
  moe.biases = false;
  const std::vector<int64_t> dense = config.list("mlp_only_layers");
  const int64_t every = std::max<int64_t>(config.whole("decoder_sparse_step", 1), 1);
  std::vector<int64_t> layers;
  for (int64_t layer = 0; layer < out.model.layers; ++layer)
    if ((layer + 1) % every == 0 && std::ranges::find(dense, layer) == dense.end()) layers.push_back(layer);
  if (layers.empty()) refuse(config, "mlp_only_layers", "no layer is left that holds experts");
  if (std::ssize(layers) < out.model.layers) moe.layers = layers;
  const bool renormalised = config.flag("norm_topk_prob", family.renormalised);
  const Json routing = {{"router", {{"type", "linear"}}},
                        {"selection",
                         {{"type", "top_k"},
                          {"k", config.whole("num_experts_per_tok")},
                          {"weight", renormalised ? "softmax_kept" : "softmax"}}},
                        {"losses", {{"load_balance", config.number("router_aux_loss_coef", 0.001)}}}};
  out.experts = read_settings<RoutingSettings>(Settings::from_json(routing, config.file().string()));
}

Architecture read_llama(const Config& config, const Llamas& family) {
  Architecture out;
  out.family = family.name;
  out.vocabulary = config.whole("vocab_size");
  ModelSettings& m = out.model;
  m.layers = config.whole("num_hidden_layers");
  m.width = config.whole("hidden_size");
  m.heads = config.whole("num_attention_heads");
  m.context = std::min<int64_t>(config.whole("max_position_embeddings"), most_context);
  m.feed_forward = config.whole("intermediate_size");
  if (const std::string kind = config.text("hidden_act", "silu"); kind != "silu")
    refuse(config, "hidden_act", "\"" + kind + "\" isn't read; known: silu");
  m.activation = "swiglu";
  m.biases = false;
  if (config.flag("mlp_bias", false)) refuse(config, "mlp_bias", "biases of gated layers aren't read");
  m.norm = "rms";
  m.norm_eps = config.number("rms_norm_eps", 1e-6);
  m.norm_at = family.after ? "after" : "before";
  m.position = "rope";
  m.rope = rope_of(config);
  m.tied = config.flag("tie_word_embeddings", false);
  m.init_std = config.number("initializer_range", 0.02);
  m.attention.kv_heads = config.whole("num_key_value_heads", m.heads);
  m.attention.head_dim = config.whole("head_dim", 0);
  m.attention.qk_norm = family.qk_norm;
  const bool all = std::string_view(family.biases) == "none" && config.flag("attention_bias", false);
  m.attention.biases = all ? "qkvo" : family.biases;
  refuse_windows(config);
  if (config.has("clip_qkv")) refuse(config, "clip_qkv", "clipped queries and keys aren't read");
  if (family.experts) read_experts(config, family, out);
  return out;
}

Architecture read_gpt2(const Config& config) {
  Architecture out;
  out.family = gpt2;
  out.vocabulary = config.whole("vocab_size");
  ModelSettings& m = out.model;
  m.layers = config.whole("n_layer");
  m.width = config.whole("n_embd");
  m.heads = config.whole("n_head");
  m.context = config.whole("n_positions");
  m.feed_forward = config.whole("n_inner", 4 * m.width);
  const std::string kind = config.text("activation_function", "gelu_new");
  if (kind != "gelu_new" && kind != "gelu_pytorch_tanh" && kind != "gelu")
    refuse(config, "activation_function", "\"" + kind + "\" isn't read; known: gelu, gelu_new, gelu_pytorch_tanh");
  m.activation = kind == "gelu" ? "gelu" : "gelu_tanh";
  m.norm_eps = config.number("layer_norm_epsilon", 1e-5);
  m.tied = config.flag("tie_word_embeddings", true);
  m.init_std = config.number("initializer_range", 0.02);
  m.attention.biases = "qkvo";
  if (!config.flag("scale_attn_weights", true)) refuse(config, "scale_attn_weights", "unscaled attention isn't read");
  if (config.flag("scale_attn_by_inverse_layer_idx", false))
    refuse(config, "scale_attn_by_inverse_layer_idx", "attention scaled by its layer isn't read");
  return out;
}

void add_norm_rules(std::vector<TensorRule>& out, const std::string& ours, const std::string& theirs, bool layer) {
  out.push_back({ours + ".weight", theirs + ".weight"});
  if (layer) out.push_back({ours + ".bias", theirs + ".bias"});
}

std::vector<TensorRule> gpt2_rules(const Architecture& of) {
  std::vector<TensorRule> out = {{"embedding.token", "wte.weight"}, {"embedding.position", "wpe.weight"}};
  for (int64_t layer = 0; layer < of.model.layers; ++layer) {
    const std::string ours = fmt::format("blocks.{}.", layer), theirs = fmt::format("h.{}.", layer);
    add_norm_rules(out, ours + "attention_norm", theirs + "ln_1", true);
    for (int64_t part = 0; part < 3; ++part) {
      const std::string name = ours + "attention." + "qkv"[part];
      out.push_back({name, theirs + "attn.c_attn.weight", true, part, 3});
      out.push_back({name + "_bias", theirs + "attn.c_attn.bias", false, part, 3});
    }
    out.push_back({ours + "attention.o", theirs + "attn.c_proj.weight", true});
    out.push_back({ours + "attention.o_bias", theirs + "attn.c_proj.bias"});
    add_norm_rules(out, ours + "feed_forward_norm", theirs + "ln_2", true);
    out.push_back({ours + "feed_forward.in", theirs + "mlp.c_fc.weight", true});
    out.push_back({ours + "feed_forward.in_bias", theirs + "mlp.c_fc.bias"});
    out.push_back({ours + "feed_forward.out", theirs + "mlp.c_proj.weight"});
    out.push_back({ours + "feed_forward.out_bias", theirs + "mlp.c_proj.bias"});
  }
  add_norm_rules(out, "final_norm", "ln_f", true);
  return out;
}

void add_attention_rules(std::vector<TensorRule>& out, const Architecture& of, const std::string& ours,
                         const std::string& theirs) {
  const AttentionSettings& attention = of.model.attention;
  for (const char* part : {"q", "k", "v", "o"}) {
    const std::string name = ours + part, in_file = theirs + part + "_proj.";
    const bool o = std::string_view(part) == "o";
    out.push_back({name, in_file + "weight"});
    if (attention.biases == "qkvo" || (attention.biases == "qkv" && !o))
      out.push_back({name + "_bias", in_file + "bias"});
  }
  if (attention.qk_norm == "none") return;
  for (const char* part : {"q", "k"}) out.push_back({ours + part + "_norm", theirs + part + "_norm.weight"});
}

void add_hidden_rules(std::vector<TensorRule>& out, const Architecture& of, const Llamas& family, int64_t layer,
                      const std::string& theirs) {
  const std::string ours = fmt::format("blocks.{}.", layer);
  if (of.target != "moe" || !holds_experts(of.model.moe, layer)) {
    for (const char* part : {"gate", "up"})
      out.push_back({ours + "feed_forward." + part, theirs + "mlp." + part + "_proj.weight"});
    out.push_back({ours + "feed_forward.out", theirs + "mlp.down_proj.weight", true});
    return;
  }
  const std::string mlp = theirs + family.mlp + ".";
  out.push_back({ours + "experts.router.weight", mlp + "gate.weight"});
  for (int64_t expert = 0; expert < of.model.moe.experts; ++expert) {
    const std::string mine = fmt::format("{}experts.{}.", ours, expert),
                      in_file = fmt::format("{}experts.{}.", mlp, expert);
    out.push_back({mine + "gate", in_file + family.gate + ".weight"});
    out.push_back({mine + "up", in_file + family.up + ".weight"});
    out.push_back({mine + "out", in_file + family.down + ".weight", true});
  }
}

std::vector<TensorRule> llama_rules(const Architecture& of, const Llamas& family) {
  std::vector<TensorRule> out = {{"embedding.token", "embed_tokens.weight"}};
  for (int64_t layer = 0; layer < of.model.layers; ++layer) {
    const std::string ours = fmt::format("blocks.{}.", layer), theirs = fmt::format("layers.{}.", layer);
    add_norm_rules(out, ours + "attention_norm",
                   theirs + (family.after ? "post_attention_layernorm" : "input_layernorm"), false);
    add_attention_rules(out, of, ours + "attention.", theirs + "self_attn.");
    add_norm_rules(out, ours + "feed_forward_norm",
                   theirs + (family.after ? "post_feedforward_layernorm" : "post_attention_layernorm"), false);
    add_hidden_rules(out, of, family, layer, theirs);
  }
  add_norm_rules(out, "final_norm", "norm", false);
  return out;
}

}  // namespace

std::vector<std::string> families() {
  std::vector<std::string> out = {gpt2};
  for (const Llamas& family : llamas) out.emplace_back(family.name);
  return out;
}

Architecture architecture_of(const HuggingFaceConfig& config) {
  const std::string family = config.text("model_type");
  const Llamas* llama = llama_named(family);
  if (llama == nullptr && family != gpt2)
    user_error("{}: `model_type` \"{}\" isn't read; known: {}", shown(config.file()), family, join(families()));
  Architecture out = llama != nullptr ? read_llama(config, *llama) : read_gpt2(config);
  try {
    require_sense(out.model);
  } catch (const UserError& error) {
    user_error("{}: {}", shown(config.file()), error.what());
  }
  return out;
}

std::vector<TensorRule> tensor_rules(const Architecture& of) {
  const Llamas* llama = llama_named(of.family);
  std::vector<TensorRule> out = llama != nullptr ? llama_rules(of, *llama) : gpt2_rules(of);
  for (TensorRule& rule : out) rule.theirs = tensor_prefix(of.family) + rule.theirs;
  if (!of.model.tied) out.push_back({"head", "lm_head.weight"});
  return out;
}

std::string model_class(const std::string& family) {
  const Llamas* llama = llama_named(family);
  return llama != nullptr ? llama->model_class : "GPT2LMHeadModel";
}

std::string tensor_prefix(const std::string& family) {
  return family == gpt2 ? "transformer." : "model.";
}

bool is_superfluous(const Architecture& of, const std::string& theirs) {
  if (of.model.tied && theirs == "lm_head.weight") return true;
  return theirs.ends_with(".attn.bias") || theirs.ends_with(".attn.masked_bias") || theirs.ends_with(".inv_freq");
}

}  // namespace absorb
