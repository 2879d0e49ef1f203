#include "studies/exchange/export.h"

#include <torch/types.h>

#include "core/error.h"
#include "core/text/json.h"
#include "studies/folder/paths.h"
#include "studies/folder/records/files.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

void need(bool holds, const std::string& what) {
  require(holds, "transformers has no model with {}: it can't be exported", what);
}

std::string family_of_layer_norms(const RunSettings& run) {
  const ModelSettings& m = run.model;
  need(run.target == "dense", "layer norms and experts");
  need(m.position == "learned", "layer norms and rotary positions");
  need(m.activation == "gelu" || m.activation == "gelu_tanh",
       "layer norms and model.activation = \"" + m.activation + '"');
  need(m.biases, "layer norms and feed-forward layers without biases");
  need(m.norm_at == "before", "layer norms after its layers");
  const AttentionHeads heads = attention_heads(m.attention, attention_shape(m, 0));
  need(heads.kv_heads == heads.heads && heads.dim * heads.heads == m.width && m.attention.qk_norm == "none",
       "layer norms, and heads that share keys, are of another width or have norms");
  return "gpt2";
}

std::string family_with_experts(const RunSettings& run) {
  const ModelSettings& m = run.model;
  const Json& selection = run.moe.selection.table.value();
  const std::string weight = selection.value("weight", "");
  need(run.moe.router.type == "linear" && run.moe.selection.type == "top_k" &&
           (weight == "softmax" || weight == "softmax_kept") && run.moe.temperature == 1 && run.moe.weigh.type.empty(),
       "experts that aren't the top_k of a linear router's softmax");
  need(m.moe.activation == "swiglu" && !m.moe.biases, "experts that aren't swiglu without biases");
  need(m.moe.shared == 0, "a shared expert of this kind");
  need(!m.after(), "experts and norms after the layers");
  if (m.attention.qk_norm == "head") return "qwen3_moe";
  need(m.moe.layers.empty(), "experts in some layers alone, and no norms of each head");
  if (m.attention.qk_norm == "full") return "olmoe";
  need(weight == "softmax_kept" && m.attention.biases == "none", "experts' weights that don't sum to 1");
  return "mixtral";
}

std::string family_of_rms_norms(const RunSettings& run) {
  const ModelSettings& m = run.model;
  need(m.position == "rope", "root-mean-square norms and learned positions");
  need(m.activation == "swiglu" && !m.biases, "root-mean-square norms without swiglu, or with its biases");
  if (run.target == "moe") return family_with_experts(run);
  const std::string& norm = m.attention.qk_norm;
  need(m.after() == (norm == "full"),
       "norms of queries over all heads, but not after the layers, or the other way round");
  if (m.after()) return "olmo2";
  if (norm == "head") return "qwen3";
  return m.attention.biases == "qkv" ? "qwen2" : "llama";
}

Json rope_json(const RopeSettings& rope) {
  if (rope.scaling == "none") return {{"rope_type", "default"}, {"rope_theta", rope.theta}};
  return {{"rope_type", rope.scaling},     {"rope_theta", rope.theta},
          {"factor", rope.factor},         {"low_freq_factor", rope.low},
          {"high_freq_factor", rope.high}, {"original_max_position_embeddings", rope.original_context}};
}

void add_experts(Json& config, const Architecture& of) {
  const MoeSettings& moe = of.model.moe;
  const Json& selection = of.experts.selection.table.value();
  config[of.family == "mixtral" ? "num_local_experts" : "num_experts"] = moe.experts;
  config["num_experts_per_tok"] = selection.at("k");
  config[of.family == "qwen3_moe" ? "moe_intermediate_size" : "intermediate_size"] = moe.hidden;
  if (of.family != "mixtral") config["norm_topk_prob"] = selection.at("weight") == "softmax_kept";
  if (const auto balance = of.experts.losses.find("load_balance"); balance != of.experts.losses.end())
    config["router_aux_loss_coef"] = balance->second.table.value().value("coefficient", 0.0);
  if (of.family != "qwen3_moe") return;
  Json dense = Json::array();
  for (int64_t layer = 0; layer < of.model.layers; ++layer)
    if (!holds_experts(moe, layer)) dense.push_back(layer);
  config["mlp_only_layers"] = dense;
  config["decoder_sparse_step"] = 1;
}

Json config_of_gpt2(const Architecture& of) {
  const ModelSettings& m = of.model;
  return {{"n_layer", m.layers},
          {"n_embd", m.width},
          {"n_head", m.heads},
          {"n_positions", m.context},
          {"n_inner", hidden_width(m)},
          {"activation_function", m.activation == "gelu" ? "gelu" : "gelu_new"},
          {"layer_norm_epsilon", m.norm_eps},
          {"attn_pdrop", m.dropout},
          {"embd_pdrop", m.dropout},
          {"resid_pdrop", m.dropout}};
}

Json config_of_llama(const Architecture& of) {
  const ModelSettings& m = of.model;
  const AttentionHeads heads = attention_heads(m.attention, attention_shape(m, 0));
  Json config = {{"num_hidden_layers", m.layers},
                 {"hidden_size", m.width},
                 {"num_attention_heads", m.heads},
                 {"num_key_value_heads", heads.kv_heads},
                 {"head_dim", heads.dim},
                 {"max_position_embeddings", m.context},
                 {"intermediate_size", hidden_width(m)},
                 {"hidden_act", "silu"},
                 {"rms_norm_eps", m.norm_eps},
                 {"attention_bias", m.attention.biases == "qkvo"},
                 {"rope_parameters", rope_json(m.rope)}};
  if (of.target == "moe") add_experts(config, of);
  return config;
}

/// One tensor of theirs, from ours.
struct Place {
  std::vector<const TensorRule*> parts;  // in the order of their rows
  std::vector<int64_t> shape;
};

class Exporter {
 public:
  Exporter(const Path& run, const Path& to) : run_(run), to_(to), weights_(run / "weights.safetensors") {
    settings_ = run_settings_from_json(read_record_json(run / "settings.json"), shown(run / "settings.json"));
    architecture_ = exported_as(settings_, weights_.shape("embedding.token").at(0));
    rules_ = tensor_rules(architecture_);
  }

  ExportResult write(uint64_t most_bytes) {
    Json config = fs::exists(run_ / "config.json") ? parse_json(read_file(run_ / "config.json")) : Json::object();
    config.update(config_of(architecture_));
    for (const char* file : carried_files)
      if (fs::exists(run_ / file)) write_file(to_ / file, read_file(run_ / file));
    write_file(to_ / "config.json", config.dump(2) + '\n');
    if (!fs::exists(to_ / "generation_config.json"))
      write_file(to_ / "generation_config.json", Json{{"do_sample", false}}.dump(2) + '\n');
    ExportResult result{architecture_.family, write_weights(most_bytes), "tokenizer.json"};
    if (!fs::exists(to_ / "tokenizer.json")) result.tokeniser = "none: the run has no tokenizer.json";
    return result;
  }

 private:
  bool has(const std::string& ours) const { return weights_.contains(ours); }

  /// Ours as the rule's family has it: zeros for biases that this model lacks.
  Tensor read(const TensorRule& rule) const {
    if (has(rule.ours)) return rule.transposed ? weights_.read(rule.ours).t().contiguous() : weights_.read(rule.ours);
    check(rule.ours.ends_with("_bias"), "[export] no tensor {}", rule.ours);
    return at::zeros({weights_.shape(rule.ours.substr(0, rule.ours.size() - 5)).at(0)});
  }

  std::vector<int64_t> shape_of(const TensorRule& rule) const {
    if (!has(rule.ours)) return read(rule).sizes().vec();
    std::vector<int64_t> shape = weights_.shape(rule.ours);
    if (rule.transposed) std::swap(shape.at(0), shape.at(1));
    return shape;
  }

  std::map<std::string, Place> places() const {
    std::map<std::string, Place> out;
    for (const TensorRule& rule : rules_) {
      Place& place = out[rule.theirs];
      place.parts.push_back(&rule);
      std::vector<int64_t> shape = shape_of(rule);
      shape[rule.transposed && rule.parts > 1 ? 1 : 0] *= rule.parts;
      place.shape = shape;
    }
    return out;
  }

  Tensor made(const Place& place) const {
    std::vector<Tensor> parts;
    for (const TensorRule* rule : place.parts) parts.push_back(read(*rule));
    return parts.size() == 1 ? parts[0] : at::cat(parts, place.parts[0]->transposed ? 1 : 0);
  }

  int64_t write_weights(uint64_t most_bytes) const {
    const std::map<std::string, Place> all = places();
    std::vector<std::vector<PromisedTensor>> shards(1);
    uint64_t bytes = 0, total = 0;
    for (const auto& place : all) {
      const uint64_t size = 4 * static_cast<uint64_t>(c10::multiply_integers(place.second.shape));
      if (bytes > 0 && bytes + size > most_bytes) {
        shards.emplace_back();
        bytes = 0;
      }
      bytes += size;
      total += size;
      shards.back().push_back(
          {place.first, at::kFloat, place.second.shape, [this, &place] { return made(place.second); }});
    }
    const std::map<std::string, std::string> format = {{"format", "pt"}};
    if (shards.size() == 1) {
      write_safetensors(to_ / "model.safetensors", shards[0], format);
      return 1;
    }
    Json index = Json::object();
    for (std::size_t i = 0; i < shards.size(); ++i) {
      const std::string file = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
      write_safetensors(to_ / file, shards[i], format);
      for (const PromisedTensor& tensor : shards[i]) index[tensor.name] = file;
    }
    write_file(to_ / "model.safetensors.index.json",
               Json{{"metadata", {{"total_size", total}}}, {"weight_map", index}}.dump(2) + '\n');
    return static_cast<int64_t>(shards.size());
  }

  Path run_, to_;
  SafetensorsFile weights_;
  RunSettings settings_;
  Architecture architecture_;
  std::vector<TensorRule> rules_;
};

}  // namespace

Architecture exported_as(const RunSettings& run, int64_t vocabulary) {
  need(run.target == "dense" || run.target == "moe", "routed attention");
  need(run.model.logit_scale == 1, "scaled logits");
  Architecture out;
  out.family = run.model.norm == "layer" ? family_of_layer_norms(run) : family_of_rms_norms(run);
  out.model = run.model;
  out.target = run.target;
  out.experts = run.moe;
  out.vocabulary = vocabulary;
  if (out.family == "gpt2") out.model.attention.biases = "qkvo";  // zeros
  return out;
}

Json config_of(const Architecture& of) {
  Json config = of.family == "gpt2" ? config_of_gpt2(of) : config_of_llama(of);
  config["model_type"] = of.family;
  config["architectures"] = {model_class(of.family)};
  config["vocab_size"] = of.vocabulary;
  config["tie_word_embeddings"] = of.model.tied;
  config["initializer_range"] = of.model.init_std;
  config["dtype"] = "float32";
  return config;
}

ExportResult export_run(const Path& run, const Path& to, uint64_t most_bytes) {
  require_done(run);
  require_intact(run, Intact::all);
  require_weights(run, "an export");
  require(!fs::exists(to), "{} exists: an export makes a new folder", shown(to));
  const Path aside = to.string() + ".tmp." + random_name();
  Exporter exporter(run, aside);
  make_folder(aside);
  try {
    const ExportResult result = exporter.write(most_bytes);
    move_path(aside, to);
    return result;
  } catch (...) {
    remove_tree(aside);
    throw;
  }
}

}  // namespace absorb
