// Small random graphs, for holding algorithms against counting everything.
#pragma once

#include <cmath>

#include "compensation/graph/graph_algorithms.h"
#include "core/random.h"

namespace absorb {

using Vertices = std::vector<std::size_t>;
inline constexpr int graphs = 400;

/// Weights 1, 1/2, 1/4, so that lengths add up exactly and ties are ties; or uniform ones.
inline WeightedGraph random_graph(Random& random, bool ties) {
  WeightedGraph graph{2 + random.below(5), {}};
  const std::size_t edges = random.below(3 * graph.vertices + 1);
  for (std::size_t i = 0; i < edges; ++i) {
    const double weight = ties ? std::ldexp(1.0, -static_cast<int>(random.below(3))) : 0.01 + random.uniform();
    graph.edges.push_back({random.below(graph.vertices), random.below(graph.vertices), weight});
  }
  return graph;
}

}  // namespace absorb
