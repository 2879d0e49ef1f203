#include "compensation/graph/communities.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "tests/compensation/graph/random_graph.h"

namespace absorb {
namespace {

/// The best modularity over all divisions.
double brute_modularity(const WeightedGraph& graph) {
  double best = -1;
  Vertices groups(graph.vertices);
  const std::function<void(std::size_t, std::size_t)> divide = [&](std::size_t at, std::size_t used) {
    if (at == graph.vertices) {
      best = std::max(best, modularity(graph, groups));
      return;
    }
    for (groups[at] = 0; groups[at] <= used; ++groups[at]) {
      const std::size_t group = groups[at];
      divide(at + 1, std::max(used, group + 1));
      groups[at] = group;
    }
  };
  divide(0, 0);
  return best;
}

TEST(CompensationCommunities, ModularityOfAKnownDivision) {
  // Two triangles joined by one edge: 7 edges, 3 inside each, strengths 7 and 7 of 14.
  const WeightedGraph graph{6,
                            {{0, 1, 1}, {1, 2, 1}, {2, 0, 1}, {3, 4, 1}, {4, 5, 1}, {5, 3, 1}, {2, 3, 1}, {0, 0, 9}}};
  EXPECT_NEAR(modularity(graph, {0, 0, 0, 1, 1, 1}), 6.0 / 7 - 0.5, 1e-12);
  EXPECT_NEAR(modularity(graph, {0, 0, 0, 0, 0, 0}), 0, 1e-12);
  EXPECT_EQ(communities(graph), (Vertices{0, 0, 0, 1, 1, 1}));
  EXPECT_TRUE(std::isnan(modularity({2, {}}, {0, 1})));
  EXPECT_EQ(communities({2, {}}), (Vertices{0, 1}));
}

TEST(CompensationCommunities, ComeCloseToTheBestOfAllDivisions) {
  Random random(6);
  double found = 0, best = 0;
  for (int draw = 0; draw < graphs; ++draw) {
    const WeightedGraph graph = random_graph(random, draw % 2 == 0);
    const double most = brute_modularity(graph);
    if (std::isnan(modularity(graph, communities(graph)))) continue;
    const double reached = modularity(graph, communities(graph));
    EXPECT_LE(reached, most + 1e-12);
    found += reached;
    best += most;
  }
  EXPECT_GT(best, 20);
  EXPECT_GT(found, 0.97 * best);
}

TEST(CompensationCommunities, PlantedGroupsAreFoundAmongNoise) {
  Random random(8);
  WeightedGraph graph{30, {}};
  for (std::size_t a = 0; a < 30; ++a)
    for (std::size_t b = 0; b < 30; ++b)
      if (a != b) graph.edges.push_back({a, b, (a % 3 == b % 3 ? 1 : 0.2) * (0.1 + random.uniform())});
  const Vertices groups = communities(graph);
  for (std::size_t v = 0; v < 30; ++v) EXPECT_EQ(groups[v], v % 3);
}

/// Single vertices alone get stuck here: a long ring wants groups of many, which only merging finds.
TEST(CompensationCommunities, WholeGroupsMerge) {
  constexpr std::size_t vertices = 100, best = 10;
  WeightedGraph ring{vertices, {}};
  Vertices tens;
  for (std::size_t v = 0; v < vertices; ++v) {
    ring.edges.push_back({v, (v + 1) % vertices, 1});
    tens.push_back(v / best);
  }
  EXPECT_NEAR(modularity(ring, tens), 0.8, 1e-12);
  EXPECT_GT(modularity(ring, communities(ring)), 0.76);
}

}  // namespace
}  // namespace absorb
