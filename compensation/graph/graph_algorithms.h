// What the queries ask of a weighted directed graph, as functions of a plain struct. Boost.Graph stays inside
// this folder's sources (boost_network.h), since each file that sees it takes seconds to compile. Surprising: weights
// are strengths, so that the shortest way is the one over strong edges; each function says how it makes a length or a
// capacity of them.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace absorb {

struct WeightedEdge {
  std::size_t from = 0, to = 0;
  double weight = 0;  // above 0 and finite
};

/// Parallel edges and self loops are allowed; self loops are on no path and carry no flow. What is undirected stands in
/// it twice. Every function throws InternalError for a vertex that isn't there and a weight that is not above 0.
struct WeightedGraph {
  std::size_t vertices = 0;
  std::vector<WeightedEdge> edges;
};

inline constexpr std::size_t no_vertex = static_cast<std::size_t>(-1);

/// InternalError for an edge that leaves the graph and for a weight that is not above 0 and finite.
void check_graph(const WeightedGraph& graph);

/// [vertices]: sum over ordered pairs (s, t) of other vertices of the share of shortest paths from s to t that pass
/// through it (Brandes 2001). An edge's length is 1 / weight. Time vertices x edges.
std::vector<double> betweenness(const WeightedGraph& graph);

/// [vertices]: the last vertex that every path from `root` has to pass before it comes here (Lengauer and Tarjan 1979);
/// no_vertex for the root and for what it doesn't reach.
std::vector<std::size_t> dominators(const WeightedGraph& graph, std::size_t root);

struct Flow {
  double value = 0;
  std::vector<bool> source_side;  // [vertices], of the minimum cut
  std::vector<std::size_t> cut;   // places in graph.edges, rising; their weights sum to `value`
};

/// The most that can flow from `sources` together to `sinks` together, where an edge carries at most its weight (Boykov
/// and Kolmogorov 2004, which takes capacities that aren't whole numbers). InternalError where a vertex is both.
Flow max_flow(const WeightedGraph& graph, const std::vector<std::size_t>& sources,
              const std::vector<std::size_t>& sinks);
/// The same for several sets of sources, each by itself; the network is built once.
std::vector<Flow> max_flows(const WeightedGraph& graph, std::span<const std::vector<std::size_t>> source_sets,
                            const std::vector<std::size_t>& sinks);

struct StrongPath {
  std::vector<std::size_t> vertices;  // at least two, none twice
  double strength = 0;                // product of weight / largest weight of the graph, in (0, 1]
  double weakest = 0;                 // the smallest weight on it
};

/// The at most `count` strongest paths without a repeated vertex, by falling strength; of parallel edges the strongest
/// counts. Every further edge costs strength. Between two ends by Yen (1971) over Dijkstra on the lengths log(largest /
/// weight). Where an end is absent, over all vertices there: a beginning of a path is never weaker than the whole, so
/// that extending the strongest unfinished path yields them in order.
std::vector<StrongPath> strongest_paths(const WeightedGraph& graph, std::size_t count, std::optional<std::size_t> from,
                                        std::optional<std::size_t> to);

/// Where paths begin and end; absent: anywhere.
struct PathEnds {
  std::optional<std::size_t> from, to;
};
/// By what one path is stronger than another.
enum class PathStrength { product, weakest };
/// [most]: of 1, 2, ... `most` edges the strongest path without a repeated vertex, the first of equals; without
/// vertices where there is none.
std::vector<StrongPath> strongest_by_edges(const WeightedGraph& graph, std::size_t most, const PathEnds& ends,
                                           PathStrength strength);

}  // namespace absorb
