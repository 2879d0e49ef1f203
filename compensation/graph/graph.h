// The compensation graph: who makes up for whom. Nodes are groups of components, edges are measurements. A plain
// interface over Boost.Graph, which takes 9 s to compile and therefore stays inside graph.cpp (and
// graph_algorithms.cpp).
//
// Granularity: a node is one layer and the parts of it that adapted together, since a measurement belongs to the group
// and can't be divided among its components. "1.attention_router" (what is disturbed), "1.q+k+v+o" and
// "1.feed_forward+norm" (the rest of the same layer by its parts), "3.block" (all of another layer), "embedding",
// "norm" (outside the blocks). Experts of one layer are one node, "2.expert". A block's node overlaps the nodes of its
// parts; the edges that leave one router never overlap each other.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compensation/graph/measure_info.h"

namespace absorb {

struct GraphNode {
  std::string name;    // unique, "3.block"
  int64_t layer = -1;  // -1 outside the blocks
  std::string part;    // "block", "q+k+v+o"
};

/// One measurement. Parallel edges are normal: one for each arm, target, seed and measure.
struct GraphEdge {
  std::string from, to;       // names of nodes; equal for a router's recovery of its own damage
  double value = 0;           // in the unit of its measure; finite
  double standard_error = 0;  // NaN: not known
  int64_t samples = 0;
  std::string measure;  // one of edge_names()
  std::string arm, target;
  int64_t seed = 0;
};

/// Which edges a query looks at; what is absent doesn't matter.
struct EdgeFilter {
  std::optional<std::string> measure = {}, arm = {}, target = {}, from = {};
  std::optional<int64_t> seed = {};
};

/// The edges of one disturbed node in one run, added up. Unlike the Shapley values of recovery.h these are separate
/// measurements, so that what two groups could each make up for counts twice. Errors are added as if they went
/// together, which is their upper bound: the edges share draws and held-out sequences.
struct OwnAndCross {
  std::string from, measure, arm, target;
  int64_t layer = 0, seed = 0;
  double own = 0, own_error = 0;      // to other nodes of the same layer
  double cross = 0, cross_error = 0;  // to other layers and to the final norm, not to the embedding
  std::optional<double> share;        // cross / (own + cross); absent when the sum is within 2 of its errors
};

class CompensationGraph {
 public:
  CompensationGraph();
  ~CompensationGraph();
  CompensationGraph(CompensationGraph&&) noexcept;
  CompensationGraph& operator=(CompensationGraph&&) noexcept;

  /// A node that is already there is left; InternalError if it has another layer or part.
  void add_node(const GraphNode& node);
  /// InternalError unless both nodes are there and the value is finite.
  void add_edge(const GraphEdge& edge);

  /// In the order of their adding.
  std::vector<GraphNode> nodes() const;
  std::vector<GraphEdge> edges(const EdgeFilter& filter = {}) const;
  /// At most `count` edges by falling value, equal ones in the order of their adding.
  std::vector<GraphEdge> strongest(std::size_t count, const EdgeFilter& filter = {}) const;
  /// One row for each (from, measure, arm, target, seed), in the order of their adding.
  std::vector<OwnAndCross> own_and_cross(const EdgeFilter& filter = {}) const;

  /// Attributes: node name, layer, part; edge value, standard_error, samples, measure, arm, target, seed, directed
  /// (false for a measure without a direction, whose edge stands here once).
  void write_graphml(std::ostream& out) const;
  /// For Graphviz: own-layer edges solid, cross-layer dashed, to and from outside the blocks dotted; width by
  /// value within a measure; no arrow heads on what has no direction.
  void write_dot(std::ostream& out) const;
  /// nodes and links as d3 and networkx (node_link_graph, edges="links") read them. The edge's target is called
  /// run_target here, since `target` is the link's end.
  void write_json(std::ostream& out) const;
  /// One row for each edge, RFC 4180, numbers in full precision, an unknown error empty.
  void write_csv(std::ostream& out) const;
  /// The inverse of write_json. UserError naming `name` if it is no such file or one of another version.
  static CompensationGraph from_json(std::string_view text, const std::string& name);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace absorb
