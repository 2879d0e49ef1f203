#include "studies/plan/run_settings.h"

#include "core/error.h"
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

RunSettings read_run_settings(const Settings& tables, const std::string& target, int64_t seed) {
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
  require_valid(run.data);
  require(run.model.width % run.model.heads == 0, "{}: model.width = {} is not divisible by model.heads = {}",
          tables.table("model").where("heads"), run.model.width, run.model.heads);
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
  if (target.moe)
    out["model"].erase("feed_forward");
  else
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
  if (resolved.contains("data") && resolved["data"].value("text_field", Json()) == "text")
    resolved["data"].erase("text_field");
  if (resolved.contains("data") && resolved["data"].value("order", Json()) == "windows")
    resolved["data"].erase("order");
  if (resolved.contains("model") && resolved["model"].value("layer_loss", Json()) == 0)
    resolved["model"].erase("layer_loss");
  if (resolved.contains("model") && resolved["model"].value("layer_gradients", Json()) == "all")
    resolved["model"].erase("layer_gradients");
  if (!resolved.contains("routing")) return;
  const Json now = write_settings(ChoiceSettings{});
  for (Json& kind : resolved["routing"]) {
    kind.erase("allow_noncausal");
    if (kind.value("choose", Json()) == now) kind.erase("choose");
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
