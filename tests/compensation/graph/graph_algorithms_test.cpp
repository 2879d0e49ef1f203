// Against brute force on random small graphs, with parallel edges, self loops and equal weights.
#include "compensation/graph/graph_algorithms.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "core/error.h"
#include "tests/compensation/graph/random_graph.h"

namespace absorb {
namespace {

/// Every path from `from` without a repeated vertex, as places of edges; at least one edge.
void each_path(const WeightedGraph& graph, std::size_t from, const std::function<void(const Vertices&)>& visit) {
  Vertices places;
  std::vector<bool> seen(graph.vertices);
  const std::function<void(std::size_t)> walk = [&](std::size_t vertex) {
    seen[vertex] = true;
    for (std::size_t i = 0; i < graph.edges.size(); ++i) {
      if (graph.edges[i].from != vertex || seen[graph.edges[i].to]) continue;
      places.push_back(i);
      visit(places);
      walk(graph.edges[i].to);
      places.pop_back();
    }
    seen[vertex] = false;
  };
  walk(from);
}

std::vector<double> brute_betweenness(const WeightedGraph& graph) {
  std::vector<double> result(graph.vertices);
  for (std::size_t s = 0; s < graph.vertices; ++s) {
    std::vector<double> shortest(graph.vertices, std::numeric_limits<double>::infinity()), paths(graph.vertices);
    std::vector<std::vector<double>> through(graph.vertices, std::vector<double>(graph.vertices));
    each_path(graph, s, [&](const Vertices& places) {
      const std::size_t t = graph.edges[places.back()].to;
      double length = 0;
      for (std::size_t place : places) length += 1 / graph.edges[place].weight;
      if (length > shortest[t]) return;
      if (length < shortest[t]) {
        shortest[t] = length;
        paths[t] = 0;
        std::ranges::fill(through[t], 0);
      }
      ++paths[t];
      for (std::size_t place : places) through[t][graph.edges[place].from] += graph.edges[place].from == s ? 0 : 1;
    });
    for (std::size_t t = 0; t < graph.vertices; ++t)
      for (std::size_t v = 0; v < graph.vertices; ++v) result[v] += paths[t] > 0 ? through[t][v] / paths[t] : 0;
  }
  return result;
}

TEST(CompensationGraphAlgorithms, BetweennessEqualsCountingAllPaths) {
  Random random(1);
  double sum = 0;
  for (int draw = 0; draw < graphs; ++draw) {
    const WeightedGraph graph = random_graph(random, true);
    const auto actual = betweenness(graph), expected = brute_betweenness(graph);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t v = 0; v < expected.size(); ++v) EXPECT_NEAR(actual[v], expected[v], 1e-12) << "graph " << draw;
    sum += std::reduce(expected.begin(), expected.end());
  }
  EXPECT_GT(sum, graphs) << "the graphs have hardly any paths";
}

Vertices reached(const WeightedGraph& graph, std::size_t root, std::size_t without) {
  Vertices found;
  if (root == without) return found;
  found.push_back(root);
  for (std::size_t at = 0; at < found.size(); ++at)
    for (const WeightedEdge& edge : graph.edges)
      if (edge.from == found[at] && edge.to != without && std::ranges::find(found, edge.to) == found.end())
        found.push_back(edge.to);
  return found;
}

TEST(CompensationGraphAlgorithms, DominatorsAreWhatNoPathCanAvoid) {
  Random random(2);
  int deep = 0;
  for (int draw = 0; draw < graphs; ++draw) {
    const WeightedGraph graph = random_graph(random, false);
    const Vertices actual = dominators(graph, 0), all = reached(graph, 0, no_vertex);
    std::vector<Vertices> strict(graph.vertices);  // of each vertex, the others that every path to it passes
    for (std::size_t d = 0; d < graph.vertices; ++d) {
      const Vertices left = reached(graph, 0, d);
      for (std::size_t v : all)
        if (v != d && std::ranges::find(left, v) == left.end()) strict[v].push_back(d);
    }
    for (std::size_t v = 0; v < graph.vertices; ++v) {
      if (strict[v].empty()) {
        EXPECT_EQ(actual[v], no_vertex) << "graph " << draw;
        continue;
      }
      // The immediate one has all the others as its own.
      ASSERT_LT(actual[v], graph.vertices) << "graph " << draw;
      Vertices expected = strict[actual[v]];
      expected.push_back(actual[v]);
      std::ranges::sort(expected);
      EXPECT_EQ(expected, strict[v]) << "graph " << draw;
      deep += actual[v] != 0 ? 1 : 0;
    }
  }
  EXPECT_GT(deep, 50);
}

/// The least weight that leaves a set of vertices with all sources and no sink.
double brute_cut(const WeightedGraph& graph, const Vertices& sources, const Vertices& sinks) {
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t side = 0; side < std::size_t{1} << graph.vertices; ++side) {
    const auto inside = [&](std::size_t v) { return (side >> v & 1) != 0; };
    if (!std::ranges::all_of(sources, inside) || std::ranges::any_of(sinks, inside)) continue;
    double weight = 0;
    for (const WeightedEdge& edge : graph.edges) weight += inside(edge.from) && !inside(edge.to) ? edge.weight : 0;
    least = std::min(least, weight);
  }
  return least;
}

TEST(CompensationGraphAlgorithms, FlowsOfSeveralSourcesAreThoseOfEachAlone) {
  Random random(9);
  for (int draw = 0; draw < graphs; ++draw) {
    WeightedGraph graph = random_graph(random, false);
    graph.vertices += 1;  // at least three
    const Vertices sinks{graph.vertices - 1};
    for (std::size_t v = 0; v + 1 < graph.vertices; ++v) graph.edges.push_back({v, sinks[0], 0.01 + random.uniform()});
    const std::vector<Vertices> sets{{0}, {0, 1}, {1}};
    const auto together = max_flows(graph, sets, sinks);
    ASSERT_EQ(together.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(together[i].value, max_flow(graph, sets[i], sinks).value, 1e-12);
      EXPECT_GT(together[i].value, 0);
    }
  }
}

TEST(CompensationGraphAlgorithms, MaxFlowEqualsTheSmallestOfAllCuts) {
  Random random(3);
  int flowing = 0;
  for (int draw = 0; draw < graphs; ++draw) {
    const WeightedGraph graph = random_graph(random, draw % 2 == 0);
    Vertices order(graph.vertices);
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = 0; i + 1 < order.size(); ++i) std::swap(order[i], order[i + random.below(order.size() - i)]);
    const auto half = static_cast<std::ptrdiff_t>(1 + random.below(order.size() / 2));
    const Vertices sources(order.begin(), order.begin() + half), sinks(order.end() - 1, order.end());
    const Flow flow = max_flow(graph, sources, sinks);
    EXPECT_NEAR(flow.value, brute_cut(graph, sources, sinks), 1e-12) << "graph " << draw;
    double cut = 0;
    for (std::size_t place : flow.cut) cut += graph.edges[place].weight;
    EXPECT_NEAR(cut, flow.value, 1e-12) << "graph " << draw;
    for (std::size_t v : sources) EXPECT_TRUE(flow.source_side[v]);
    for (std::size_t v : sinks) EXPECT_FALSE(flow.source_side[v]);
    flowing += flow.value > 0 ? 1 : 0;
  }
  EXPECT_GT(flowing, graphs / 3);
  EXPECT_THROW(max_flow({2, {}}, Vertices{0, 1}, Vertices{1}), InternalError);
}

struct Ends {
  std::optional<std::size_t> from, to;
};

/// Strengths of all paths between the ends, the strongest first; of parallel edges the strongest counts.
std::vector<double> brute_strengths(const WeightedGraph& graph, const Ends& ends) {
  double largest = 0;
  for (const WeightedEdge& edge : graph.edges) largest = std::max(largest, edge.weight);
  std::map<Vertices, double> best;
  for (std::size_t s = 0; s < graph.vertices; ++s) {
    if (ends.from && *ends.from != s) continue;
    each_path(graph, s, [&](const Vertices& places) {
      if (ends.to && graph.edges[places.back()].to != *ends.to) return;
      Vertices vertices{s};
      double strength = 1;
      for (std::size_t place : places) {
        vertices.push_back(graph.edges[place].to);
        strength *= graph.edges[place].weight / largest;
      }
      best[vertices] = std::max(best[vertices], strength);
    });
  }
  std::vector<double> result;
  for (const auto& [vertices, strength] : best) result.push_back(strength);
  std::ranges::sort(result, std::greater<>());
  return result;
}

double weight_between(const WeightedGraph& graph, std::size_t from, std::size_t to) {
  double weight = 0;
  for (const WeightedEdge& edge : graph.edges)
    if (edge.from == from && edge.to == to) weight = std::max(weight, edge.weight);
  return weight;
}

void expect_paths(const WeightedGraph& graph, const Ends& ends, std::size_t count) {
  const auto paths = strongest_paths(graph, count, ends.from, ends.to);
  const auto expected = brute_strengths(graph, ends);
  ASSERT_EQ(paths.size(), std::min(count, expected.size()));
  std::set<Vertices> seen;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const Vertices& vertices = paths[i].vertices;
    EXPECT_NEAR(paths[i].strength, expected[i], 1e-12);
    EXPECT_EQ(std::set<std::size_t>(vertices.begin(), vertices.end()).size(), vertices.size()) << "a loop";
    EXPECT_TRUE(seen.insert(vertices).second) << "the same path twice";
    EXPECT_EQ(vertices.front(), ends.from.value_or(vertices.front()));
    EXPECT_EQ(vertices.back(), ends.to.value_or(vertices.back()));
    double weakest = std::numeric_limits<double>::infinity();
    for (std::size_t at = 1; at < vertices.size(); ++at)
      weakest = std::min(weakest, weight_between(graph, vertices[at - 1], vertices[at]));
    EXPECT_EQ(paths[i].weakest, weakest);
  }
}

TEST(CompensationGraphAlgorithms, StrongestPathsBetweenTwoEnds) {
  Random random(4);
  for (int draw = 0; draw < 2 * graphs; ++draw) {
    const WeightedGraph graph = random_graph(random, draw % 2 == 0);
    const std::size_t from = random.below(graph.vertices);
    expect_paths(graph, {from, (from + 1 + random.below(graph.vertices - 1)) % graph.vertices}, 1 + random.below(12));
    ASSERT_FALSE(HasFailure()) << "graph " << draw;
  }
}

TEST(CompensationGraphAlgorithms, StrongestPathsWithOpenEnds) {
  Random random(5);
  for (int draw = 0; draw < graphs; ++draw) {
    const WeightedGraph graph = random_graph(random, draw % 2 == 0);
    const std::size_t end = random.below(graph.vertices);
    for (const Ends& ends : {Ends{end, {}}, Ends{{}, end}, Ends{}}) expect_paths(graph, ends, 1 + random.below(30));
    ASSERT_FALSE(HasFailure()) << "graph " << draw;
  }
}

TEST(CompensationGraphAlgorithms, NothingComesOfNothing) {
  EXPECT_TRUE(betweenness({}).empty());
  EXPECT_EQ(dominators({1, {}}, 0), Vertices{no_vertex});
  EXPECT_EQ(max_flow({2, {}}, Vertices{0}, Vertices{1}).value, 0);
  EXPECT_TRUE(strongest_paths({3, {{0, 1, 1}}}, 5, 0, 2).empty());
  EXPECT_TRUE(strongest_paths({3, {{0, 1, 1}}}, 5, 1, 1).empty());
  EXPECT_TRUE(strongest_paths({3, {}}, 5, {}, {}).empty());
}

TEST(CompensationGraphAlgorithms, RefuseWhatIsNoGraph) {
  EXPECT_THROW(betweenness({2, {{0, 2, 1}}}), InternalError);
  EXPECT_THROW(dominators({2, {{0, 1, 0}}}, 0), InternalError);
  EXPECT_THROW(max_flow({2, {{0, 1, -1}}}, Vertices{0}, Vertices{1}), InternalError);
  EXPECT_THROW(strongest_paths({2, {{0, 1, std::nan("")}}}, 1, {}, {}), InternalError);
}

}  // namespace
}  // namespace absorb
