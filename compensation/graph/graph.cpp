#include "compensation/graph/graph.h"

#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/graphml.hpp>
#include <boost/graph/graphviz.hpp>
#include <boost/make_shared.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <tuple>
#include <typeinfo>

#include "compensation/recovery/recovery.h"
#include "core/error.h"
#include "core/numbers.h"
#include "core/text/json.h"

namespace absorb {
namespace {

using Json = nlohmann::json;
using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, GraphNode, GraphEdge>;
using Vertex = boost::graph_traits<Graph>::vertex_descriptor;
using Arrow = boost::graph_traits<Graph>::edge_descriptor;

constexpr int format_version = 2;  // 2: links say whether they are directed
constexpr const char* kind = "absorb compensation graph";

bool passes(const GraphEdge& edge, const EdgeFilter& filter) {
  const auto equal = [](const auto& wanted, const auto& value) { return !wanted || *wanted == value; };
  return equal(filter.measure, edge.measure) && equal(filter.arm, edge.arm) && equal(filter.target, edge.target) &&
         equal(filter.from, edge.from) && equal(filter.seed, edge.seed);
}

bool is_outside(const GraphNode& node) {
  return node.layer < 0;
}

const char* dot_style(const GraphNode& from, const GraphNode& to) {
  if (is_outside(from) || is_outside(to)) return "dotted";
  return from.layer == to.layer ? "solid" : "dashed";
}

/// RFC 4180: quoted only where it must be.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

Json json_of(const GraphEdge& edge) {
  return {{"source", edge.from},     {"target", edge.to},
          {"value", edge.value},     {"standard_error", edge.standard_error},
          {"samples", edge.samples}, {"measure", edge.measure},
          {"arm", edge.arm},         {"run_target", edge.target},
          {"seed", edge.seed},       {"directed", measure_info(edge.measure).directed}};
}

GraphEdge edge_of(const Json& link) {
  const Json& error = link.at("standard_error");  // NaN is null in JSON
  return {link.at("source"),
          link.at("target"),
          link.at("value"),
          error.is_null() ? nan : error.get<double>(),
          whole_number(link.at("samples")),
          link.at("measure"),
          link.at("arm"),
          link.at("run_target"),
          whole_number(link.at("seed"))};
}

/// A number of an edge with all its digits: what Boost makes of a member writes six.
class ExactNumber : public boost::dynamic_property_map {
 public:
  ExactNumber(const Graph& graph, double GraphEdge::*member) : graph_(graph), member_(member) {}
  boost::any get(const boost::any& edge) override { return number(edge); }
  std::string get_string(const boost::any& edge) override {
    return std::isfinite(number(edge)) ? fmt::format("{}", number(edge)) : "NaN";
  }
  void put(const boost::any&, const boost::any&) override { check(false, "[graph] a property is only read"); }
  const std::type_info& key() const override { return typeid(Arrow); }
  const std::type_info& value() const override { return typeid(double); }

 private:
  double number(const boost::any& edge) const { return graph_[boost::any_cast<Arrow>(edge)].*member_; }
  const Graph& graph_;
  double GraphEdge::*member_;
};

/// Whether an edge's measure has a direction: GraphML's own mark would be one for the whole file.
class Directed : public boost::dynamic_property_map {
 public:
  explicit Directed(const Graph& graph) : graph_(graph) {}
  boost::any get(const boost::any& edge) override { return directed(edge); }
  std::string get_string(const boost::any& edge) override { return directed(edge) ? "true" : "false"; }
  void put(const boost::any&, const boost::any&) override { check(false, "[graph] a property is only read"); }
  const std::type_info& key() const override { return typeid(Arrow); }
  const std::type_info& value() const override { return typeid(bool); }

 private:
  bool directed(const boost::any& edge) const {
    return measure_info(graph_[boost::any_cast<Arrow>(edge)].measure).directed;
  }
  const Graph& graph_;
};

void add_to(OwnAndCross& row, const GraphEdge& edge, const GraphNode& to) {
  if (edge.from == edge.to || (is_outside(to) && to.part == "embedding")) return;
  const bool own = to.layer == row.layer;
  (own ? row.own : row.cross) += edge.value;
  (own ? row.own_error : row.cross_error) += edge.standard_error;
}

}  // namespace

struct CompensationGraph::Implementation {
  Graph graph;
  std::map<std::string, Vertex> vertices;  // by name

  Vertex vertex(const std::string& name) const {
    const auto found = vertices.find(name);
    check(found != vertices.end(), "[graph] no node {}", name);
    return found->second;
  }
  template <class Visit>
  void each_edge(const Visit& visit) const {
    const auto [first, last] = boost::edges(graph);
    for (auto edge = first; edge != last; ++edge) visit(*edge, graph[*edge]);
  }
};

CompensationGraph::CompensationGraph() : implementation_(std::make_unique<Implementation>()) {}
CompensationGraph::~CompensationGraph() = default;
CompensationGraph::CompensationGraph(CompensationGraph&&) noexcept = default;
CompensationGraph& CompensationGraph::operator=(CompensationGraph&&) noexcept = default;

void CompensationGraph::add_node(const GraphNode& node) {
  auto& [graph, vertices] = *implementation_;
  const auto found = vertices.find(node.name);
  if (found == vertices.end()) {
    vertices[node.name] = boost::add_vertex(node, graph);
    return;
  }
  const GraphNode& known = graph[found->second];
  check(known.layer == node.layer && known.part == node.part,
        "[graph] node {} is layer {} part {}, and layer {} part {}", node.name, known.layer, known.part, node.layer,
        node.part);
}

void CompensationGraph::add_edge(const GraphEdge& edge) {
  check(std::isfinite(edge.value), "[graph] the edge {} -> {} needs a finite value", edge.from, edge.to);
  const Vertex from = implementation_->vertex(edge.from), to = implementation_->vertex(edge.to);
  boost::add_edge(from, to, edge, implementation_->graph);
}

std::vector<GraphNode> CompensationGraph::nodes() const {
  std::vector<GraphNode> result;
  const auto [first, last] = boost::vertices(implementation_->graph);
  for (auto vertex = first; vertex != last; ++vertex) result.push_back(implementation_->graph[*vertex]);
  return result;
}

std::vector<GraphEdge> CompensationGraph::edges(const EdgeFilter& filter) const {
  std::vector<GraphEdge> result;
  implementation_->each_edge([&](Arrow, const GraphEdge& edge) {
    if (passes(edge, filter)) result.push_back(edge);
  });
  return result;
}

std::vector<GraphEdge> CompensationGraph::strongest(std::size_t count, const EdgeFilter& filter) const {
  std::vector<GraphEdge> result = edges(filter);
  std::stable_sort(result.begin(), result.end(), [](const auto& a, const auto& b) { return a.value > b.value; });
  if (result.size() > count) result.resize(count);
  return result;
}

std::vector<OwnAndCross> CompensationGraph::own_and_cross(const EdgeFilter& filter) const {
  const Graph& graph = implementation_->graph;
  std::vector<OwnAndCross> rows;
  std::map<std::tuple<std::string, std::string, std::string, std::string, int64_t>, std::size_t> places;
  implementation_->each_edge([&](Arrow arrow, const GraphEdge& edge) {
    if (!passes(edge, filter)) return;
    const auto [place, is_new] =
        places.try_emplace({edge.from, edge.measure, edge.arm, edge.target, edge.seed}, rows.size());
    if (is_new) {
      rows.push_back({.from = edge.from,
                      .measure = edge.measure,
                      .arm = edge.arm,
                      .target = edge.target,
                      .layer = graph[boost::source(arrow, graph)].layer,
                      .seed = edge.seed,
                      .share = {}});
    }
    add_to(rows[place->second], edge, graph[boost::target(arrow, graph)]);
  });
  for (OwnAndCross& row : rows) {
    const double sum = row.own + row.cross;
    if (sum > noise_errors * (row.own_error + row.cross_error)) row.share = row.cross / sum;
  }
  return rows;
}

void CompensationGraph::write_graphml(std::ostream& out) const {
  Graph graph = implementation_->graph;  // dynamic_properties wants to be able to write
  boost::dynamic_properties properties;
  properties.property("name", boost::get(&GraphNode::name, graph));
  properties.property("layer", boost::get(&GraphNode::layer, graph));
  properties.property("part", boost::get(&GraphNode::part, graph));
  properties.insert("value", boost::make_shared<ExactNumber>(graph, &GraphEdge::value));
  properties.insert("standard_error", boost::make_shared<ExactNumber>(graph, &GraphEdge::standard_error));
  properties.property("samples", boost::get(&GraphEdge::samples, graph));
  properties.property("measure", boost::get(&GraphEdge::measure, graph));
  properties.property("arm", boost::get(&GraphEdge::arm, graph));
  properties.property("target", boost::get(&GraphEdge::target, graph));
  properties.property("seed", boost::get(&GraphEdge::seed, graph));
  properties.insert("directed", boost::make_shared<Directed>(graph));
  boost::write_graphml(out, graph, properties);
}

void CompensationGraph::write_dot(std::ostream& out) const {
  const Graph& graph = implementation_->graph;
  std::map<std::string, double> largest;  // by measure
  implementation_->each_edge([&](Arrow, const GraphEdge& edge) {
    double& value = largest[edge.measure];
    value = std::max(value, edge.value);
  });
  const auto whole = [](std::ostream& stream) { stream << "rankdir=TB;\nnode [shape=box];\n"; };
  const auto node = [&](std::ostream& stream, Vertex vertex) {
    stream << "[label=" << boost::escape_dot_string(graph[vertex].name) << "]";
  };
  const auto arrow = [&](std::ostream& stream, Arrow which) {
    const GraphEdge& edge = graph[which];
    const MeasureInfo& measure = measure_info(edge.measure);
    const double most = largest.at(edge.measure), width = most > 0 ? 0.5 + 4.5 * std::max(0.0, edge.value) / most : 0.5;
    const std::string tip = fmt::format("{} of {} {} seed {}: {} {}", edge.measure, edge.arm, edge.target, edge.seed,
                                        edge.value, measure.unit);
    stream << fmt::format("[style={}{}, penwidth={:.2f}, label=\"{:.4f}\", tooltip=",
                          dot_style(graph[boost::source(which, graph)], graph[boost::target(which, graph)]),
                          measure.directed ? "" : ", dir=none", width, edge.value)
           << boost::escape_dot_string(tip) << "]";
  };
  boost::write_graphviz(out, graph, node, arrow, whole);
}

void CompensationGraph::write_json(std::ostream& out) const {
  Json json{{"kind", kind},          {"format", format_version}, {"directed", true},
            {"multigraph", true},    {"graph", Json::object()},  {"nodes", Json::array()},
            {"links", Json::array()}};
  for (const GraphNode& node : nodes())
    json["nodes"].push_back({{"id", node.name}, {"layer", node.layer}, {"part", node.part}});
  for (const GraphEdge& edge : edges()) json["links"].push_back(json_of(edge));
  out << json.dump(1) << "\n";
}

void CompensationGraph::write_csv(std::ostream& out) const {
  out << "from,to,value,standard_error,samples,measure,arm,target,seed,directed\n";
  for (const GraphEdge& edge : edges()) {
    const std::string error = std::isfinite(edge.standard_error) ? fmt::format("{}", edge.standard_error) : "";
    out << fmt::format("{},{},{},{},{},{},{},{},{},{}\n", csv_field(edge.from), csv_field(edge.to), edge.value, error,
                       edge.samples, csv_field(edge.measure), csv_field(edge.arm), csv_field(edge.target), edge.seed,
                       measure_info(edge.measure).directed);
  }
}

CompensationGraph CompensationGraph::from_json(std::string_view text, const std::string& name) {
  const Json json = parse_json(text);
  require(json.is_object() && json.value("kind", Json()) == kind,
          "{} is no compensation graph; `absorb graph DIR --export json` writes one", name);
  require(json.value("format", Json()) == format_version,
          "{} is a compensation graph of format {}, and this program reads format {}: export it again", name,
          json.value("format", Json()).dump(), format_version);
  CompensationGraph graph;
  try {
    for (const Json& node : json.at("nodes"))
      graph.add_node({node.at("id"), whole_number(node.at("layer")), node.at("part")});
    for (const Json& link : json.at("links")) graph.add_edge(edge_of(link));
  } catch (const std::exception& error) {
    user_error("{} is a damaged compensation graph ({}): export it again", name, error.what());
  }
  return graph;
}

}  // namespace absorb
