#include <boost/graph/dijkstra_shortest_paths_no_color_map.hpp>
#include <boost/graph/filtered_graph.hpp>
#include <boost/graph/reverse_graph.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <queue>
#include <set>
#include <tuple>

#include "compensation/graph/boost_network.h"
#include "core/error.h"

namespace absorb {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

using Edge = boost::graph_traits<BoostNetwork>::edge_descriptor;

double largest_weight(const WeightedGraph& graph) {
  double largest = 0;
  for (const WeightedEdge& edge : graph.edges) largest = std::max(largest, edge.weight);
  return largest;
}

/// Without self loops, and of parallel edges the strongest alone (the first of equals).
std::vector<std::size_t> simple_edges(const WeightedGraph& graph) {
  const auto& edges = graph.edges;
  std::vector<std::size_t> places(edges.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  std::erase_if(places, [&](std::size_t i) { return edges[i].from == edges[i].to; });
  const auto key = [&](std::size_t i) { return std::tuple(edges[i].from, edges[i].to, -edges[i].weight, i); };
  std::ranges::sort(places, [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  const auto same_ends = [&](std::size_t a, std::size_t b) {
    return edges[a].from == edges[b].from && edges[a].to == edges[b].to;
  };
  places.erase(std::unique(places.begin(), places.end(), same_ends), places.end());
  return places;
}

StrongPath path_of(const WeightedGraph& graph, double largest, std::span<const std::size_t> places) {
  StrongPath path{{graph.edges[places.front()].from}, 1, infinity};
  for (std::size_t place : places) {
    path.vertices.push_back(graph.edges[place].to);
    path.strength *= graph.edges[place].weight / largest;
    path.weakest = std::min(path.weakest, graph.edges[place].weight);
  }
  return path;
}

/// Ends a search that has found what it looked for: Boost's visitors have no other way out.
struct Found {};

struct SearchVisitor : boost::default_dijkstra_visitor {
  SearchVisitor(std::size_t wanted, std::vector<std::size_t>& arrived) : to(wanted), arrived_by(&arrived) {}
  template <class G>
  void edge_relaxed(const typename boost::graph_traits<G>::edge_descriptor& edge, const G& graph) const {
    (*arrived_by)[boost::target(edge, graph)] = graph[edge].place;
  }
  template <class G>
  void examine_vertex(std::size_t vertex, const G&) const {
    if (vertex == to) throw Found{};
  }
  std::size_t to;
  std::vector<std::size_t>* arrived_by;  // [vertices], place of the edge
};

template <class G, class Visitor>
void dijkstra(const G& graph, std::size_t from, std::vector<double>& distances, const Visitor& visitor) {
  const auto index = boost::get(boost::vertex_index, graph);
  boost::dijkstra_shortest_paths_no_color_map(graph, from, boost::dummy_property_map(),
                                              boost::make_iterator_property_map(distances.begin(), index),
                                              boost::get(&Arc::length, graph), index, std::less<double>(),
                                              boost::closed_plus<double>(infinity), infinity, 0.0, visitor);
}

/// Yen's algorithm with Lawler's saving (a path deviates only behind where it left its parent itself). Dijkstra runs on
/// length + distance left at the end - distance left at the beginning, which changes no order among paths between the
/// two ends and leads it straight to the target.
class Yen {
 public:
  Yen(const WeightedGraph& graph, std::size_t from, std::size_t to)
      : plain_(graph),
        largest_(largest_weight(graph)),
        from_(from),
        to_(to),
        graph_(boost_graph(graph, simple_edges(graph), [this](double weight) { return std::log(largest_ / weight); })),
        vertex_closed_(graph.vertices),
        edge_closed_(graph.edges.size()),
        distances_(graph.vertices),
        arrived_by_(graph.vertices) {
    std::vector<double> left(graph.vertices);
    dijkstra(boost::make_reverse_graph(graph_), to, left, boost::default_dijkstra_visitor());
    for (std::size_t vertex = 0; vertex < graph.vertices; ++vertex) vertex_closed_[vertex] = left[vertex] == infinity;
    const auto [first, last] = boost::edges(graph_);
    for (auto edge = first; edge != last; ++edge) {
      const double ends = left[boost::target(*edge, graph_)] - left[boost::source(*edge, graph_)];
      if (std::isfinite(ends)) graph_[*edge].length = std::max(0.0, graph_[*edge].length + ends);
    }
  }

  std::vector<StrongPath> paths(std::size_t count) {
    std::vector<StrongPath> result;
    if (vertex_closed_[from_] || count == 0) return result;
    add_candidate({}, from_);
    while (!candidates_.empty() && result.size() < count) {
      const Candidate next = candidates_.extract(candidates_.begin()).value();
      accepted_.push_back(next.places);
      result.push_back(path_of(plain_, largest_, next.places));
      if (result.size() < count) deviate(next);
    }
    return result;
  }

 private:
  using Places = std::vector<std::size_t>;  // of edges, in order
  struct Candidate {
    double length = 0;
    Places places;
    std::size_t deviation = 0;  // where it left its parent
    bool operator<(const Candidate& other) const {
      return std::tie(length, places) < std::tie(other.length, other.places);
    }
  };
  struct EdgeOpen {
    const Yen* yen = nullptr;
    bool operator()(const Edge& edge) const {
      return !yen->edge_closed_[yen->graph_[edge].place] && !yen->vertex_closed_[boost::target(edge, yen->graph_)];
    }
  };

  void deviate(const Candidate& path) {
    Places closed_edges, closed_vertices;
    Places root(path.places.begin(), path.places.begin() + static_cast<std::ptrdiff_t>(path.deviation));
    for (std::size_t place : root) closed_vertices.push_back(plain_.edges[place].from);
    for (std::size_t vertex : closed_vertices) vertex_closed_[vertex] = true;
    for (std::size_t at = path.deviation; at < path.places.size(); ++at) {
      const std::size_t spur = plain_.edges[path.places[at]].from;
      for (const Places& known : accepted_) {
        if (known.size() <= at || !std::equal(root.begin(), root.end(), known.begin())) continue;
        edge_closed_[known[at]] = true;
        closed_edges.push_back(known[at]);
      }
      vertex_closed_[spur] = true;
      closed_vertices.push_back(spur);
      add_candidate(root, spur);
      for (std::size_t place : closed_edges) edge_closed_[place] = false;
      closed_edges.clear();
      root.push_back(path.places[at]);
    }
    for (std::size_t vertex : closed_vertices) vertex_closed_[vertex] = false;
  }

  void add_candidate(const Places& root, std::size_t spur) {
    const boost::filtered_graph<BoostNetwork, EdgeOpen> open(graph_, EdgeOpen{this});
    try {
      dijkstra(open, spur, distances_, SearchVisitor(to_, arrived_by_));
    } catch (const Found&) {
      Places tail;
      for (std::size_t vertex = to_; vertex != spur; vertex = plain_.edges[tail.back()].from)
        tail.push_back(arrived_by_[vertex]);
      Candidate candidate{0, root, root.size()};
      candidate.places.insert(candidate.places.end(), tail.rbegin(), tail.rend());
      for (std::size_t place : candidate.places) candidate.length += std::log(largest_ / plain_.edges[place].weight);
      candidates_.insert(std::move(candidate));
    }
  }

  const WeightedGraph& plain_;
  double largest_;
  std::size_t from_, to_;
  BoostNetwork graph_;
  std::vector<bool> vertex_closed_, edge_closed_;
  std::vector<double> distances_;
  Places arrived_by_;
  std::vector<Places> accepted_;
  std::set<Candidate> candidates_;
};

/// The strongest paths from one vertex, or from any, to any.
class Extensions {
 public:
  explicit Extensions(const WeightedGraph& graph)
      : plain_(graph), largest_(largest_weight(graph)), leaving_(graph.vertices) {
    for (std::size_t place : simple_edges(graph)) leaving_[graph.edges[place].from].push_back(place);
    for (auto& places : leaving_)
      std::ranges::stable_sort(
          places, [&](std::size_t a, std::size_t b) { return graph.edges[a].weight > graph.edges[b].weight; });
  }

  std::vector<StrongPath> paths(std::size_t count, std::optional<std::size_t> from) {
    for (std::size_t vertex = 0; vertex < plain_.vertices; ++vertex)
      if (!from || *from == vertex) push({0, 0, nothing, vertex, 0});
    std::vector<StrongPath> result;
    while (!open_.empty() && result.size() < count) {
      Step step = open_.top();
      open_.pop();
      const std::size_t place = leaving_[step.vertex][step.rank];
      if (!passes(step, plain_.edges[place].to)) {
        steps_.push_back(step);
        result.push_back(path_of(plain_, largest_, places(steps_.size() - 1)));
        push({step.length, 0, steps_.size() - 1, plain_.edges[place].to, 0});
      }
      push({step.before, 0, step.parent, step.vertex, step.rank + 1});
    }
    return result;
  }

 private:
  static constexpr std::size_t nothing = static_cast<std::size_t>(-1);
  struct Step {
    double before = 0, length = 0;  // of the path without and with this edge
    std::size_t parent = nothing;   // in steps_
    std::size_t vertex = 0;         // that it leaves
    std::size_t rank = 0;           // in leaving_[vertex]
    bool operator>(const Step& other) const {
      return std::tie(length, parent, vertex, rank) > std::tie(other.length, other.parent, other.vertex, other.rank);
    }
  };

  void push(Step step) {
    if (step.rank >= leaving_[step.vertex].size()) return;
    step.length = step.before + std::log(largest_ / plain_.edges[leaving_[step.vertex][step.rank]].weight);
    open_.push(step);
  }
  bool passes(const Step& step, std::size_t vertex) const {
    if (step.vertex == vertex) return true;
    for (std::size_t at = step.parent; at != nothing; at = steps_[at].parent)
      if (steps_[at].vertex == vertex) return true;
    return false;
  }
  std::vector<std::size_t> places(std::size_t at) const {
    std::vector<std::size_t> result;
    for (; at != nothing; at = steps_[at].parent) result.push_back(leaving_[steps_[at].vertex][steps_[at].rank]);
    return {result.rbegin(), result.rend()};
  }

  const WeightedGraph& plain_;
  double largest_;
  std::vector<std::vector<std::size_t>> leaving_;  // places of edges, the strongest first
  std::vector<Step> steps_;                        // the last edges of the paths found
  std::priority_queue<Step, std::vector<Step>, std::greater<>> open_;
};

}  // namespace

std::vector<StrongPath> strongest_paths(const WeightedGraph& graph, std::size_t count, std::optional<std::size_t> from,
                                        std::optional<std::size_t> to) {
  check_graph(graph);
  for (const auto& end : {from, to}) check(!end || *end < graph.vertices, "[graph] no vertex {}", end.value_or(0));
  if (from && to) return *from == *to ? std::vector<StrongPath>{} : Yen(graph, *from, *to).paths(count);
  if (!to) return Extensions(graph).paths(count, from);
  WeightedGraph reversed{graph.vertices, graph.edges};
  for (WeightedEdge& edge : reversed.edges) std::swap(edge.from, edge.to);
  auto paths = Extensions(reversed).paths(count, to);
  for (StrongPath& path : paths) std::ranges::reverse(path.vertices);
  return paths;
}

}  // namespace absorb
