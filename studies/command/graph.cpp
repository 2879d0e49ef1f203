// absorb graph: questions to the compensation graph of a study, and its export.
#include <charconv>
#include <iostream>
#include <set>

#include "compensation/graph/queries/queries.h"
#include "core/error.h"
#include "studies/analysis/compensation/results.h"
#include "studies/command/commands.h"
#include "studies/command/summary.h"
#include "studies/folder/paths.h"
#include "studies/report/text/compensation_table.h"

namespace absorb {
namespace {

using Writer = void (CompensationGraph::*)(std::ostream&) const;
constexpr std::array<std::pair<const char*, Writer>, 4> formats = {{
    {"graphml", &CompensationGraph::write_graphml},
    {"dot", &CompensationGraph::write_dot},
    {"json", &CompensationGraph::write_json},
    {"csv", &CompensationGraph::write_csv},
}};

Writer writer(const std::string& format) {
  std::vector<std::string> names;
  for (const auto& [name, write] : formats) {
    names.emplace_back(name);
    if (format == name) return write;
  }
  user_error("--export must be one of {} but got \"{}\"", join(names), format);
}

std::optional<std::string> given(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

std::optional<int64_t> seed_of(const std::string& text) {
  if (text == "mean") return std::nullopt;
  int64_t seed = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  require(error == std::errc() && end == text.data() + text.size() && seed >= 0,
          "--seed is a seed, or mean, but got \"{}\"", text);
  return seed;
}

/// "learned.attention": an arm and a target, the last dot between them.
EdgeFilter side_of(const std::string& text) {
  const auto dot = text.rfind('.');
  require(dot != std::string::npos && dot > 0 && dot + 1 < text.size(),
          "compare takes two of ARM.TARGET, such as learned.attention, but got \"{}\"", text);
  EdgeFilter side;
  side.arm = text.substr(0, dot);
  side.target = text.substr(dot + 1);
  return side;
}

CompensationGraph graph_in(const Path& from) {
  if (std::filesystem::is_regular_file(from)) return CompensationGraph::from_json(read_file(from), from.string());
  std::vector<Measurement> measurements;
  for (const PlannedRun& run : planned_in(from).runs)
    for (const std::string& measure : measured_in(from / run.folder))
      measurements.push_back(load_measurement(measurement_file(from / run.folder, measure)));
  require(!measurements.empty(), "{}: nothing was measured yet: run `absorb compensate {}` first", from.string(),
          from.string());
  return graph_of(measurements);
}

/// Only the edges that the options name, with the nodes at their ends.
CompensationGraph filtered(const CompensationGraph& all, const EdgeFilter& filter) {
  const std::vector<GraphEdge> edges = all.edges(filter);
  require(!edges.empty(), "no edge fits --arm, --target, --seed and --measure");
  std::set<std::string> ends;
  for (const GraphEdge& edge : edges) {
    ends.insert(edge.from);
    ends.insert(edge.to);
  }
  CompensationGraph graph;
  for (const GraphNode& node : all.nodes())
    if (ends.contains(node.name)) graph.add_node(node);
  for (const GraphEdge& edge : edges) graph.add_edge(edge);
  return graph;
}

QueryRequest request_of(const GraphOptions& options) {
  QueryRequest request;
  request.query = options.query.front();
  request.edges.measure = given(options.measure);
  request.edges.seed = seed_of(options.seed);
  request.count = static_cast<std::size_t>(options.paths);
  request.from = given(options.path_from);
  request.to = given(options.path_to);
  if (request.query != "compare") {
    require(options.query.size() == 1, "{} takes nothing after it, but got \"{}\"", request.query, options.query[1]);
    request.edges.arm = given(options.arm);
    request.edges.target = given(options.target);
    return request;
  }
  require(options.query.size() == 3, "compare takes two of ARM.TARGET, such as learned.attention learned.moe");
  const EdgeFilter a = side_of(options.query[1]), b = side_of(options.query[2]);
  request.edges.arm = a.arm;
  request.edges.target = a.target;
  request.against = b;
  request.against.measure = request.edges.measure;
  request.against.seed = request.edges.seed;
  return request;
}

/// A query looks at one target at a time: where none is named, at each that was measured.
void answer(const CompensationGraph& graph, QueryRequest request) {
  if (request.query == "compare" || request.edges.target) {
    std::cout << print_query(run_query(graph, request));
    return;
  }
  std::set<std::string> targets;
  for (const GraphEdge& edge : graph.edges(request.edges)) targets.insert(edge.target);
  if (targets.empty()) run_query(graph, request);  // says what is missing
  for (const std::string& target : targets) {
    request.edges.target = target;
    std::cout << print_query(run_query(graph, request)) << '\n';
  }
}

}  // namespace

int graph_command(const GraphOptions& options) {
  require(options.query.empty() != options.format.empty(), "give a query ({}) or --export graphml, dot, json or csv",
          join(query_names()));
  const Writer write = options.format.empty() ? nullptr : writer(options.format);
  const CompensationGraph graph = graph_in(options.from);
  if (write == nullptr) {
    answer(graph, request_of(options));
    return exit_done;
  }
  EdgeFilter filter;
  filter.arm = given(options.arm);
  filter.target = given(options.target);
  filter.measure = given(options.measure);
  filter.seed = seed_of(options.seed);
  (filtered(graph, filter).*write)(std::cout);
  return exit_done;
}

}  // namespace absorb
