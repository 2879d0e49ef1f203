#include "studies/plan/run_settings.h"

#include "core/error.h"
#include "studies/pretrained/pretrained.h"
#include "training/data/source.h"

namespace absorb {
namespace {

RoutingSettings read_routing(const Settings& routing, const std::string& kind) {
  Settings common = routing;
  for (const char* other : {"attention", "moe"}) common.erase(other);
  if (routing.has(kind)) common.merge(routing.table(kind));
  const RoutingSettings settings = read_settings<RoutingSettings>(common);
  require_sense(settings);
  return settings;
}

/// Layers that aren't routed hold no experts.
void leave_experts_where_routed(RunSettings& run) {
  std::vector<int64_t> layers;
  for (int64_t layer = 0; layer < run.model.layers; ++layer)
    if (routes_layer(run.moe, layer) && holds_experts(run.model.moe, layer)) layers.push_back(layer);
  require(!layers.empty(), "routing.layers and model.moe.layers name no layer in common: no layer would hold experts");
  run.model.moe.layers = std::ssize(layers) == run.model.layers ? std::vector<int64_t>{} : layers;
}

void require_layers(const RoutingSettings& routing, const ModelSettings& model) {
  for (const int64_t layer : routing.layers)
    require(layer < model.layers, "routing.layers names layer {}, and the last of {} is {}", layer, model.layers,
            model.layers - 1);
}

void require_no_strangers(const Settings& tables, const std::vector<std::string>& known) {
  for (const auto& [key, value] : tables.value().items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string near = nearest(key, known);
    user_error("{}: unknown table `{}`; {}", tables.where(key), key,
               near.empty() ? fmt::format("known: {}", join(known)) : fmt::format("did you mean `{}`?", near));
  }
}

}  // namespace

void fields(Fields& list, StartSettings& s) {
  list.field("from", s.from, "The arm whose weights, of the same target and seed, this one starts from.");
  list.field("parent", s.parent, "Identity of that arm's run.");
  list.field("reinitialise", s.reinitialise, "Patterns of parameter names that keep their initial values.");
}

std::map<std::string, std::string> plugins_of(const RunSettings& run) {
  std::map<std::string, std::string> plugins;
  const auto add = [&plugins](const auto& registry, const std::string& name) {
    if (const std::string hash = registry.origin(name); !hash.empty()) plugins[registry.kind() + ' ' + name] = hash;
  };
  const Target target = target_named(run.target);
  for (const auto& [routed, routing] : {std::pair{target.attention, &run.attention}, std::pair{target.moe, &run.moe}}) {
    if (!routed) continue;
    add(registries().routers, routing->router.type);
    add(registries().selections, routing->selection.type);
    for (const auto& [name, loss] : routing->losses) add(registries().losses, name);
  }
  add(data_sources(), run.data.type);
  return plugins;
}

void keep_native_unless_routed(RunSettings& run) {
  if (!target_named(run.target).attention) run.model.attention.native = "qk";
}

Settings with_pretrained(const Settings& tables) {
  const Settings model = tables.table("model");
  if (!model.has("from") || !model.value()["from"].is_string()) return tables;
  const std::string folder = model.value()["from"];
  if (folder.empty()) return tables;
  const Architecture architecture = architecture_of(HuggingFaceConfig(folder));
  Json below = {{"model", write_settings(architecture.model)}};
  below["model"]["vocabulary"] = architecture.vocabulary;
  if (architecture.target == "moe") below["routing"]["moe"] = write_settings(architecture.experts);
  Settings out = Settings::from_json(std::move(below), folder + "/config.json");
  Settings above = tables;
  above.erase("model");
  Settings own = model;
  own.erase("from");
  out.merge(above);
  out.merge(own.under("model"));
  out.merge(Settings::from_json({{"from", huggingface_prefix + folder}}, folder).under("start"));
  return out;
}

RunSettings read_run_settings(const Settings& said, const std::string& target, int64_t seed) {
  const Settings tables = with_pretrained(said);
  require_no_strangers(tables, {"model", "routing", "data", "training", "start"});
  RunSettings run;
  run.target = target;
  run.seed = seed;
  run.model = read_settings<ModelSettings>(tables.table("model"));
  run.attention = read_routing(tables.table("routing"), "attention");
  run.moe = read_routing(tables.table("routing"), "moe");
  run.data = read_data(tables.table("data"));
  run.training = read_settings<TrainingSettings>(tables.table("training"));
  run.start = read_settings<StartSettings>(tables.table("start"));
  keep_native_unless_routed(run);
  require_layers(run.attention, run.model);
  require_layers(run.moe, run.model);
  if (target_named(target).moe) leave_experts_where_routed(run);
  require_valid(run.data);
  try {
    require_sense(run.model);
  } catch (const UserError& error) {
    user_error("{}: {}", tables.table("model").where("heads"), error.what());
  }
  require(run.training.batch % run.training.accumulate == 0,
          "{}: training.accumulate = {} doesn't divide training.batch = {}",
          tables.table("training").where("accumulate"), run.training.accumulate, run.training.batch);
  run.plugins = plugins_of(run);
  return run;
}

Json write_run_settings(const RunSettings& run) {
  const Target target = target_named(run.target);
  Json out = {{"target", run.target},
              {"seed", run.seed},
              {"model", write_settings(run.model)},
              {"data", write_data(run.data)},
              {"training", write_settings(run.training)}};
  if (!run.start.from.empty()) out["start"] = write_settings(run.start);
  if (!run.plugins.empty()) out["plugins"] = run.plugins;
  if (target.attention) out["routing"]["attention"] = write_settings(run.attention);
  if (target.moe) out["routing"]["moe"] = write_settings(run.moe);
  if (target.moe && run.model.moe.layers.empty())
    out["model"].erase("feed_forward");
  else if (!target.moe)
    out["model"].erase("moe");
  return out;
}

RunSettings run_settings_from_json(const Json& resolved, const std::string& name) {
  Json tables = resolved;
  for (const char* key : {"target", "seed"}) require(tables.contains(key), "{}: holds no `{}`", name, key);
  tables.erase("target");
  tables.erase("seed");
  tables.erase("plugins");
  RunSettings run =
      read_run_settings(Settings::from_json(std::move(tables), name), resolved["target"], resolved["seed"]);
  run.plugins = resolved.value("plugins", std::map<std::string, std::string>());
  return run;
}

void erase_allowances(Json& resolved) {
  // As every run was made before the setting existed.
  const auto erase = [](Json& table, const Json& initial, std::initializer_list<const char*> keys) {
    for (const char* key : keys)
      if (table.contains(key) && table[key] == initial.at(key)) table.erase(key);
  };
  if (resolved.contains("data")) {
    if (resolved["data"].value("text_field", Json()) == "text") resolved["data"].erase("text_field");
    if (resolved["data"].value("order", Json()) == "windows") resolved["data"].erase("order");
  }
  if (resolved.contains("model")) {
    const Json initial = write_settings(ModelSettings{});
    Json& model = resolved["model"];
    erase(model, initial,
          {"from", "vocabulary", "layer_loss", "layer_gradients", "biases", "norm", "norm_eps", "norm_at", "position",
           "rope", "tied", "logit_scale", "z_loss"});
    if (model.contains("attention"))
      erase(model["attention"], initial["attention"], {"kv_heads", "head_dim", "qk_norm", "biases"});
    if (model.contains("moe")) erase(model["moe"], initial["moe"], {"shared", "layers"});
  }
  if (!resolved.contains("routing")) return;
  const Json now = write_settings(ChoiceSettings{});
  const Json routing = {{"layers", Json::array()}};
  for (Json& kind : resolved["routing"]) {
    kind.erase("allow_noncausal");
    if (kind.value("choose", Json()) == now) kind.erase("choose");
    erase(kind, routing, {"layers"});
    kind.erase("swap_draws");  // how well a swap is known, not what was trained
  }
}

std::string identity(const RunSettings& run) {
  Json resolved = write_run_settings(run);
  erase_allowances(resolved);
  for (const char* key : {"evaluate_every", "evaluation_tokens", "checkpoint_every", "accounts_every", "keep_weights"})
    resolved["training"].erase(key);
  // What runs made before the setting existed were trained with: they stay what they are.
  if (resolved["training"]["precision"] == "fp32") resolved["training"].erase("precision");
  resolved["data"].erase("cache");
  return hash_hex(resolved.dump());
}

}  // namespace absorb
