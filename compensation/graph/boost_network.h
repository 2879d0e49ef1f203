// What the sources of graph_algorithms.h share: a weighted graph as Boost.Graph has it. No other source includes this
// (each that sees Boost.Graph takes seconds to compile).
#pragma once

#include <boost/graph/adjacency_list.hpp>

#include <span>

#include "compensation/graph/graph_algorithms.h"

namespace absorb {

struct Arc {
  double length = 0;
  std::size_t place = 0;  // in WeightedGraph::edges
};
using BoostNetwork = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, boost::no_property, Arc>;

template <class Length>
BoostNetwork boost_graph(const WeightedGraph& graph, std::span<const std::size_t> places, const Length& length) {
  BoostNetwork result(graph.vertices);
  for (std::size_t place : places) {
    const WeightedEdge& edge = graph.edges[place];
    boost::add_edge(edge.from, edge.to, Arc{length(edge.weight), place}, result);
  }
  return result;
}

}  // namespace absorb
