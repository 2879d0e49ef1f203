// The strongest path of each number of edges. Depth first; what the best walk from here could still add, repeated
// vertices allowed, is known beforehand and cuts nearly everything off.
#include <algorithm>
#include <limits>
#include <numeric>

#include "compensation/graph/graph_algorithms.h"
#include "core/error.h"

namespace absorb {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

class ByEdges {
 public:
  ByEdges(const WeightedGraph& graph, std::size_t most, PathEnds ends, PathStrength strength)
      : graph_(graph), ends_(ends), strength_(strength), leaving_(graph.vertices), on_path_(graph.vertices) {
    for (const WeightedEdge& edge : graph.edges) largest_ = std::max(largest_, edge.weight);
    for (std::size_t i = 0; i < graph.edges.size(); ++i)
      if (graph.edges[i].from != graph.edges[i].to) leaving_[graph.edges[i].from].push_back(i);
    find_walks(most);
  }

  /// Without vertices where there is none.
  StrongPath path(std::size_t edges) {
    best_ = {};
    best_value_ = 0;
    std::vector<std::size_t> begins(graph_.vertices);
    std::iota(begins.begin(), begins.end(), std::size_t{0});
    if (ends_.from) begins = {*ends_.from};
    std::ranges::stable_sort(begins, [&](std::size_t a, std::size_t b) { return walks_[edges][a] > walks_[edges][b]; });
    for (const std::size_t begin : begins) extend(begin, edges, {{begin}, 1, infinity});
    return best_;
  }

 private:
  double weight_of(std::size_t edge) const {
    return strength_ == PathStrength::product ? graph_.edges[edge].weight / largest_ : graph_.edges[edge].weight;
  }
  double joined(double a, double b) const { return strength_ == PathStrength::product ? a * b : std::min(a, b); }
  double value_of(const StrongPath& path) const {
    return strength_ == PathStrength::product ? path.strength : path.weakest;
  }

  /// walks_[r][v]: the best of walks of r edges that leave v and end where a path may; 0 where there is none.
  void find_walks(std::size_t most) {
    const double nothing_joined = strength_ == PathStrength::product ? 1 : infinity;
    walks_.assign(most + 1, std::vector<double>(graph_.vertices, 0.0));
    for (std::size_t vertex = 0; vertex < graph_.vertices; ++vertex)
      if (!ends_.to || *ends_.to == vertex) walks_[0][vertex] = nothing_joined;
    for (std::size_t edges = 1; edges <= most; ++edges)
      for (std::size_t edge = 0; edge < graph_.edges.size(); ++edge) {
        const auto& [from, to, weight] = graph_.edges[edge];
        if (from != to)
          walks_[edges][from] = std::max(walks_[edges][from], joined(weight_of(edge), walks_[edges - 1][to]));
      }
  }

  void extend(std::size_t vertex, std::size_t left, const StrongPath& path) {
    if (left == 0) {
      if (value_of(path) > best_value_) best_ = path;
      best_value_ = std::max(best_value_, value_of(path));
      return;
    }
    on_path_[vertex] = true;
    for (const std::size_t edge : leaving_[vertex]) {
      const std::size_t to = graph_.edges[edge].to;
      if (on_path_[to]) continue;
      // A hair above: the walk's product was taken in another order.
      const double bound = joined(joined(value_of(path), weight_of(edge)), walks_[left - 1][to]) * (1 + 1e-12);
      if (!(bound > best_value_)) continue;
      StrongPath longer = path;
      longer.vertices.push_back(to);
      longer.strength *= graph_.edges[edge].weight / largest_;
      longer.weakest = std::min(longer.weakest, graph_.edges[edge].weight);
      extend(to, left - 1, longer);
    }
    on_path_[vertex] = false;
  }

  const WeightedGraph& graph_;
  PathEnds ends_;
  PathStrength strength_;
  double largest_ = 0;
  std::vector<std::vector<std::size_t>> leaving_;  // places of edges
  std::vector<std::vector<double>> walks_;
  std::vector<bool> on_path_;
  StrongPath best_;
  double best_value_ = 0;
};

}  // namespace

std::vector<StrongPath> strongest_by_edges(const WeightedGraph& graph, std::size_t most, const PathEnds& ends,
                                           PathStrength strength) {
  check_graph(graph);
  for (const auto& end : {ends.from, ends.to})
    check(!end || *end < graph.vertices, "[graph] no vertex {}", end.value_or(0));
  ByEdges search(graph, most, ends, strength);
  std::vector<StrongPath> paths;
  for (std::size_t edges = 1; edges <= most; ++edges) paths.push_back(search.path(edges));
  return paths;
}

}  // namespace absorb
