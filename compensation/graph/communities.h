// Groups of components that make up for each other more than for others: communities of a weighted graph by modularity.
#pragma once

#include <cstddef>
#include <vector>

#include "compensation/graph/graph_algorithms.h"

namespace absorb {

/// Newman's modularity (2004) of a division, `groups` [vertices]: sum over groups of (weight inside / m - (strength /
/// 2m)^2), with m the weight of all edges. Directions are ignored, self loops left out. NaN without edges.
double modularity(const WeightedGraph& graph, const std::vector<std::size_t>& groups);

/// [vertices], numbered from 0 in the order of their first vertex: moves single vertices, then whole groups, to the
/// neighbouring group that raises the modularity most, until no such move does (Louvain: Blondel et al. 2008, whose
/// levels are taken here two at a time). A local optimum, the same each time; finding the best one is NP-hard. A vertex
/// without edges is alone.
std::vector<std::size_t> communities(const WeightedGraph& graph);

}  // namespace absorb
