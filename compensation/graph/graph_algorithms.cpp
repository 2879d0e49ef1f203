#include "compensation/graph/graph_algorithms.h"

#include <boost/graph/betweenness_centrality.hpp>
#include <boost/graph/boykov_kolmogorov_max_flow.hpp>
#include <boost/graph/dominator_tree.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compensation/graph/boost_network.h"
#include "core/error.h"

namespace absorb {
namespace {

/// Boykov and Kolmogorov want every edge with its reverse, and one source and sink.
class FlowNetwork {
 public:
  explicit FlowNetwork(std::size_t vertices) : graph_(vertices), colours_(vertices) {}

  void add(std::size_t from, std::size_t to, double capacity) {
    const auto forth = boost::add_edge(from, to, Pipe{capacity, 0, {}}, graph_).first;
    const auto back = boost::add_edge(to, from, Pipe{}, graph_).first;
    graph_[forth].reverse = back;
    graph_[back].reverse = forth;
  }
  double flow(std::size_t source, std::size_t sink) {
    const auto index = boost::get(boost::vertex_index, graph_);
    return boost::boykov_kolmogorov_max_flow(graph_, boost::get(&Pipe::capacity, graph_),
                                             boost::get(&Pipe::residual, graph_), boost::get(&Pipe::reverse, graph_),
                                             boost::make_iterator_property_map(colours_.begin(), index), index, source,
                                             sink);
  }
  bool on_source_side(std::size_t vertex) const { return colours_[vertex] == boost::black_color; }

 private:
  using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
  struct Pipe {
    double capacity = 0, residual = 0;
    Traits::edge_descriptor reverse;
  };
  boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, Pipe> graph_;
  std::vector<boost::default_color_type> colours_;
};

}  // namespace

void check_graph(const WeightedGraph& graph) {
  for (const WeightedEdge& edge : graph.edges) {
    check(edge.from < graph.vertices && edge.to < graph.vertices, "[graph] the edge {} -> {} leaves {} vertices",
          edge.from, edge.to, graph.vertices);
    check(edge.weight > 0 && std::isfinite(edge.weight), "[graph] the edge {} -> {} has the weight {}", edge.from,
          edge.to, edge.weight);
  }
}

std::vector<double> betweenness(const WeightedGraph& graph) {
  check_graph(graph);
  std::vector<double> result(graph.vertices);
  if (graph.vertices == 0) return result;
  std::vector<std::size_t> places(graph.edges.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  std::erase_if(places, [&](std::size_t i) { return graph.edges[i].from == graph.edges[i].to; });
  const BoostNetwork boost = boost_graph(graph, places, [](double weight) { return 1 / weight; });
  const auto index = boost::get(boost::vertex_index, boost);
  boost::brandes_betweenness_centrality(boost,
                                        boost::centrality_map(boost::make_iterator_property_map(result.begin(), index))
                                            .vertex_index_map(index)
                                            .weight_map(boost::get(&Arc::length, boost)));
  return result;
}

std::vector<std::size_t> dominators(const WeightedGraph& graph, std::size_t root) {
  check_graph(graph);
  check(root < graph.vertices, "[graph] no vertex {}", root);
  std::vector<std::size_t> result(graph.vertices, no_vertex), places(graph.edges.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  const BoostNetwork boost = boost_graph(graph, places, [](double) { return 1.0; });
  // The short form of this call numbers what the root doesn't reach 0 instead of "never", and is then wrong wherever
  // such a vertex has an edge to one that is reached (Boost 1.81; pull request 97 of boostorg/graph).
  std::vector<std::size_t> numbers(graph.vertices, no_vertex), parents(graph.vertices, no_vertex),
      order(graph.vertices, no_vertex);
  const auto index = boost::get(boost::vertex_index, boost);
  boost::lengauer_tarjan_dominator_tree(boost, root, index, boost::make_iterator_property_map(numbers.begin(), index),
                                        boost::make_iterator_property_map(parents.begin(), index), order,
                                        boost::make_iterator_property_map(result.begin(), index));
  result[root] = no_vertex;
  return result;
}

Flow max_flow(const WeightedGraph& graph, const std::vector<std::size_t>& sources,
              const std::vector<std::size_t>& sinks) {
  return max_flows(graph, {&sources, 1}, sinks).front();
}

std::vector<Flow> max_flows(const WeightedGraph& graph, std::span<const std::vector<std::size_t>> source_sets,
                            const std::vector<std::size_t>& sinks) {
  check_graph(graph);
  const std::size_t sink = graph.vertices, first_source = sink + 1;
  FlowNetwork network(first_source + source_sets.size());
  double unlimited = 1;
  for (const WeightedEdge& edge : graph.edges) {
    unlimited += edge.weight;
    if (edge.from != edge.to) network.add(edge.from, edge.to, edge.weight);
  }
  for (std::size_t vertex : sinks) network.add(vertex, sink, unlimited);
  for (std::size_t set = 0; set < source_sets.size(); ++set)
    for (std::size_t vertex : source_sets[set]) {
      check(std::ranges::find(sinks, vertex) == sinks.end(), "[graph] the vertex {} is source and sink", vertex);
      network.add(first_source + set, vertex, unlimited);
    }
  std::vector<Flow> result;
  for (std::size_t set = 0; set < source_sets.size(); ++set) {
    Flow flow{network.flow(first_source + set, sink), std::vector<bool>(graph.vertices), {}};
    for (std::size_t vertex = 0; vertex < graph.vertices; ++vertex)
      flow.source_side[vertex] = network.on_source_side(vertex);
    for (std::size_t i = 0; i < graph.edges.size(); ++i)
      if (flow.source_side[graph.edges[i].from] && !flow.source_side[graph.edges[i].to]) flow.cut.push_back(i);
    result.push_back(std::move(flow));
  }
  return result;
}

}  // namespace absorb
