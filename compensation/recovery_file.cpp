#include "compensation/recovery_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/settings.h"

namespace absorb {
namespace {

constexpr int format_version = 1;
constexpr const char* kind = "absorb recovery";

/// NaN is null in JSON.
double number(const Json& json) {
  return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
}

Json json_of(const Measured& measured) {
  return {{"nats", measured.value}, {"standard_error", measured.standard_error}, {"samples", measured.samples}};
}

Measured measured_of(const Json& json) {
  return {number(json.at("nats")), number(json.at("standard_error")), json.at("samples")};
}

/// [layer, part, index]: the position table and the token table share a printed name.
Json json_of(const Component& component) {
  return {component.layer, std::string(to_string(component.part)), component.index};
}

Component component_of(const Json& json) {
  const Part part = component_from_string(json.at(1).get<std::string>()).part;
  return {json.at(0), part, json.at(2)};
}

Json json_of(const Recovery& recovery) {
  Json components = Json::array();
  for (const Component& component : recovery.group.components) components.push_back(json_of(component));
  Json json = json_of(recovery.measured);
  json.update({{"group", recovery.group.name}, {"components", components}, {"by_draw", recovery.by_draw}});
  return json;
}

Recovery recovery_from(const Json& json) {
  Recovery recovery{{json.at("group"), {}}, measured_of(json), {}};
  for (const Json& component : json.at("components")) recovery.group.components.push_back(component_of(component));
  for (const Json& value : json.at("by_draw")) recovery.by_draw.push_back(number(value));
  return recovery;
}

Json json_of(const CrossLayerShare& share) {
  return {
      {"all", json_of(share.all)},
      {"shapley", {{"module", json_of(share.module)}, {"rest", json_of(share.rest)}, {"cross", json_of(share.cross)}}},
      {"share", share.share ? Json(*share.share) : Json()},
      {"undefined", share.undefined.empty() ? Json() : Json(share.undefined)}};
}

CrossLayerShare share_of(const Json& json) {
  const Json& parts = json.at("shapley");
  CrossLayerShare share{measured_of(json.at("all")),
                        measured_of(parts.at("module")),
                        measured_of(parts.at("rest")),
                        measured_of(parts.at("cross")),
                        {},
                        {}};
  if (!json.at("share").is_null()) share.share = json.at("share").get<double>();
  if (!json.at("undefined").is_null()) share.undefined = json.at("undefined").get<std::string>();
  return share;
}

Json json_of(const RecoveryResult& result) {
  Json groups = Json::array(), diverged = Json::array();
  for (const Recovery& recovery : result.groups) groups.push_back(json_of(recovery));
  for (const Diverged& one : result.diverged)
    diverged.push_back({{"group", one.group}, {"draw", one.draw ? Json(*one.draw) : Json()}});
  return {{"router", json_of(result.router)},
          {"name", to_string(result.router)},
          {"matching", "unmatched"},
          {"steps", result.steps},
          {"draws", result.draws},
          {"held_out_sequences", result.held_out_sequences},
          {"held_out_tokens", result.held_out_tokens},
          {"base_loss", result.base_loss},
          {"swap_cost", json_of(result.swap_cost)},
          {"groups", groups},
          {"cross_layer_share", json_of(result.share)},
          {"diverged", diverged}};
}

RecoveryResult result_of(const Json& json) {
  RecoveryResult result{component_of(json.at("router")),
                        json.at("steps"),
                        json.at("draws"),
                        json.at("held_out_sequences"),
                        json.at("held_out_tokens"),
                        number(json.at("base_loss")),
                        measured_of(json.at("swap_cost")),
                        {},
                        share_of(json.at("cross_layer_share")),
                        {}};
  for (const Json& group : json.at("groups")) result.groups.push_back(recovery_from(group));
  for (const Json& one : json.at("diverged")) {
    const Json& draw = one.at("draw");
    result.diverged.push_back({one.at("group"), draw.is_null() ? std::nullopt : std::optional<int64_t>(draw)});
  }
  return result;
}

bool is_node(const Group& group) {
  const std::string& name = group.name;
  return name == "router" || name == "module" || name == "rest" || name == "embedding" || name == "final" ||
         name.starts_with("block.");
}

void add_result(CompensationGraph& graph, const RunRecovery& run, const RecoveryResult& result) {
  const GraphNode from = group_node({"router", {result.router}});
  for (const Recovery& recovery : result.groups) {
    if (!is_node(recovery.group) || recovery.group.components.empty()) continue;
    const GraphNode to = group_node(recovery.group);
    graph.add_node(to);
    if (recovery.measured.samples == 0) continue;
    graph.add_edge({from.name, to.name, recovery.measured.value, recovery.measured.standard_error,
                    recovery.measured.samples, "recovery_unmatched", run.arm, run.target, run.seed});
  }
}

}  // namespace

void save_recovery(const Path& path, const RunRecovery& run) {
  Json results = Json::array();
  for (const RecoveryResult& result : run.results) results.push_back(json_of(result));
  const Json json{{"kind", kind},         {"format", format_version}, {"arm", run.arm},
                  {"target", run.target}, {"seed", run.seed},         {"results", results}};
  write_file(path, json.dump() + "\n");
}

RunRecovery load_recovery(const Path& path) {
  const Json json = Json::parse(read_file(path), nullptr, false);
  require(json.is_object() && json.value("kind", Json()) == kind,
          "{} is no recovery file; `absorb compensate DIR` writes one", path.string());
  require(json.value("format", Json()) == format_version,
          "{} is a recovery file of format {}, and this program reads format {}: measure again", path.string(),
          json.value("format", Json()).dump(), format_version);
  try {
    RunRecovery run{json.at("arm"), json.at("target"), json.at("seed"), {}};
    for (const Json& result : json.at("results")) run.results.push_back(result_of(result));
    return run;
  } catch (const std::exception& error) {
    user_error("{} is a damaged recovery file ({}): measure again", path.string(), error.what());
  }
}

GraphNode group_node(const Group& group) {
  check(!group.components.empty(), "[graph] the group {} has no components", group.name);
  const int64_t layer = group.components.front().layer;
  std::vector<std::string> parts;  // components are sorted, by part within a layer
  for (const Component& component : group.components) {
    check(component.layer == layer, "[graph] the group {} spans layers", group.name);
    const std::string part(to_string(component.part));
    if (parts.empty() || parts.back() != part) parts.push_back(part);
  }
  const std::string part = group.name.starts_with("block.") ? "block" : join(parts, "+");
  return {layer < 0 ? part : fmt::format("{}.{}", layer, part), layer, part};
}

CompensationGraph recovery_graph(std::span<const RunRecovery> runs) {
  CompensationGraph graph;
  for (const RunRecovery& run : runs)
    for (const RecoveryResult& result : run.results) {
      graph.add_node(group_node({"router", {result.router}}));
      add_result(graph, run, result);
    }
  return graph;
}

}  // namespace absorb
