#include "compensation/measures/measurement.h"

#include "core/error.h"
#include "core/numbers.h"
#include "core/text/json.h"

namespace absorb {
namespace {

constexpr int format_version = 1;
constexpr const char* kind = "absorb measurement";

/// NaN is null in JSON.
double number(const Json& json) {
  return json.is_null() ? nan : json.get<double>();
}

Json json_of(const GraphEdge& edge) {
  return {{"from", edge.from},       {"to", edge.to},
          {"value", edge.value},     {"standard_error", edge.standard_error},
          {"samples", edge.samples}, {"measure", edge.measure}};
}

Measurement measurement_from(const Json& json) {
  Measurement out;
  out.measure = json.at("measure");
  out.identity = json.at("identity");
  out.arm = json.at("arm");
  out.target = json.at("target");
  out.seed = whole_number(json.at("seed"));
  for (const Json& node : json.at("nodes"))
    out.nodes.push_back({node.at("name"), whole_number(node.at("layer")), node.at("part")});
  for (const Json& edge : json.at("edges"))
    out.edges.push_back({edge.at("from"), edge.at("to"), edge.at("value"), number(edge.at("standard_error")),
                         whole_number(edge.at("samples")), edge.at("measure"), out.arm, out.target, out.seed});
  out.notes = json.at("notes").get<std::vector<std::string>>();
  out.details = json.at("details");
  out.seconds = json.at("seconds");
  return out;
}

}  // namespace

void save_measurement(const Path& path, const Measurement& m) {
  Json nodes = Json::array(), edges = Json::array();
  for (const GraphNode& node : m.nodes)
    nodes.push_back({{"name", node.name}, {"layer", node.layer}, {"part", node.part}});
  for (const GraphEdge& edge : m.edges) edges.push_back(json_of(edge));
  const Json json{{"kind", kind},   {"format", format_version}, {"measure", m.measure}, {"identity", m.identity},
                  {"arm", m.arm},   {"target", m.target},       {"seed", m.seed},       {"nodes", nodes},
                  {"edges", edges}, {"notes", m.notes},         {"details", m.details}, {"seconds", m.seconds}};
  write_file(path, sealed(json, 1));
}

Measurement load_measurement(const Path& path) {
  Json json = parse_json(read_file(path));
  require(json.is_object() && json.value("kind", Json()) == kind,
          "{} is no measurement; `absorb compensate DIR` writes one", path.string());
  require(unseal(json), "{} was changed or damaged since it was measured: remove it and measure again", path.string());
  require(json.value("format", Json()) == format_version,
          "{} is a measurement of format {}, and this program reads format {}: measure again", path.string(),
          json.value("format", Json()).dump(), format_version);
  try {
    return measurement_from(json);
  } catch (const std::exception& error) {
    user_error("{} is a damaged measurement ({}): measure again", path.string(), error.what());
  }
}

CompensationGraph graph_of(std::span<const Measurement> measurements) {
  CompensationGraph graph;
  for (const Measurement& measurement : measurements) {
    for (const GraphNode& node : measurement.nodes) graph.add_node(node);
    for (GraphEdge edge : measurement.edges) {
      edge.arm = measurement.arm;
      edge.target = measurement.target;
      edge.seed = measurement.seed;
      graph.add_edge(edge);
    }
  }
  return graph;
}

}  // namespace absorb
