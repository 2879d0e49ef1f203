// What a query sees of a compensation graph: the edges of one arm, target and measure as numbers over links, by seed
// and in the mean.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compensation/graph/graph.h"
#include "compensation/graph/graph_algorithms.h"
#include "core/random.h"

namespace absorb {

/// One graph's numbers, [links]; NaN where it has no such edge.
struct LinkValues {
  std::vector<double> value, error;
};

struct Link {
  std::size_t from = 0, to = 0;  // places in nodes, not equal
};

struct GraphView {
  std::string arm, target, measure;
  MeasureInfo info;
  std::vector<GraphNode> nodes;  // all of the graph's
  std::vector<Link> links;       // once, also where they have no direction
  std::vector<int64_t> seeds;    // rising
  std::vector<LinkValues> by_seed;
  LinkValues mean;  // over the seeds that have the link; its error is over these seeds, of one seed the edge's own
  std::unordered_map<std::string, std::size_t> places;  // of nodes, by name

  /// UserError with the list of nodes if there is none.
  std::size_t place(const std::string& name) const;
  /// Names, in the order of the nodes.
  std::vector<std::string> names() const;
};

/// The links of one arm, target and measure: those of `filter`, the only ones there are, or the first of `usual` that
/// there is. UserError where that leaves none or several, with what there is.
GraphView view_of(const CompensationGraph& graph, const EdgeFilter& filter, std::span<const std::string_view> usual);

/// Which links become edges.
enum class Links { positive, above_noise };

/// A graph of the links whose value is above 0, or above noise_errors of its errors, both ways where the measure has no
/// direction.
struct LinkGraph {
  WeightedGraph graph;            // its vertices are the view's nodes, and `extra` more
  std::vector<std::size_t> link;  // [edges]
};
LinkGraph link_graph(const GraphView& view, const LinkValues& values, Links keep, std::size_t extra = 0);

/// The values of `among` (places of links) shuffled, values and errors together.
LinkValues shuffled(const LinkValues& values, std::span<const std::size_t> among, Random& random);

/// Each link's mean over the graphs that have it; its error is over these, of one graph the edge's own.
LinkValues mean_of(const std::vector<LinkValues>& by_seed, std::size_t links);

/// Places of links of one kind together, each once: whose ends are equally many layers apart (in size where there is no
/// direction), or outside the blocks in the same part.
std::vector<std::vector<std::size_t>> kinds_of_links(const GraphView& view);

}  // namespace absorb
