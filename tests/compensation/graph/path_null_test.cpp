// The null of `paths`: a planted chain is found, and edges without one are taken for one as often as p says.
#include <iostream>
#include <map>

#include "compensation/graph/graph_algorithms.h"
#include "core/settings.h"
#include "tests/compensation/graph/queries_fixture.h"
#include "tests/compensation/graph/random_graph.h"

namespace absorb {
namespace {

TEST(CompensationGraphAlgorithms, StrongestByEdgesIsTheStrongestOfAllPathsOfSoMany) {
  Random random(11);
  for (int draw = 0; draw < graphs; ++draw) {
    const WeightedGraph graph = random_graph(random, draw % 2 == 0);
    const std::size_t end = random.below(graph.vertices), other = (end + 1) % graph.vertices;
    for (const PathEnds& ends : {PathEnds{}, PathEnds{end, {}}, PathEnds{{}, end}, PathEnds{end, other}}) {
      std::map<std::size_t, std::pair<double, double>> best;  // by number of edges: strength, weakest edge
      for (const StrongPath& path : strongest_paths(graph, 100'000, ends.from, ends.to)) {
        auto& [strength, weakest] = best[path.vertices.size() - 1];
        strength = std::max(strength, path.strength);
        weakest = std::max(weakest, path.weakest);
      }
      const auto products = strongest_by_edges(graph, 4, ends, PathStrength::product);
      const auto bottlenecks = strongest_by_edges(graph, 4, ends, PathStrength::weakest);
      ASSERT_EQ(products.size(), 4U);
      for (std::size_t edges = 1; edges <= 4; ++edges) {
        EXPECT_EQ(products[edges - 1].vertices.size(), best.contains(edges) ? edges + 1 : 0);
        EXPECT_EQ(bottlenecks[edges - 1].vertices.size(), best.contains(edges) ? edges + 1 : 0);
        if (!best.contains(edges)) continue;
        EXPECT_NEAR(products[edges - 1].strength, best[edges].first, 1e-12);
        EXPECT_EQ(bottlenecks[edges - 1].weakest, best[edges].second);
      }
    }
    ASSERT_FALSE(HasFailure()) << "graph " << draw;
  }
}

/// How a simulated set of graphs is made: layers of three parts and the final norm, edges between most of them.
struct Simulated {
  int64_t layers = 4, seeds = 4;
  double of_edge = 0;    // sd of what an edge has in every seed, in logarithms
  double of_seed = 0.5;  // sd of what it has in one
  double near = 0;       // how much a layer farther costs, in logarithms
  double chain = 0;      // what each edge of the planted chain has more in every seed, in logarithms
};

const std::vector<std::string> planted = {"0.attention_router", "1.q", "2.feed_forward", "3.q", "4.q"};

bool is_planted(const std::string& from, const std::string& to) {
  for (std::size_t i = 1; i < planted.size(); ++i)
    if (planted[i - 1] == from && planted[i] == to) return true;
  return false;
}

CompensationGraph simulated(const Simulated& how, Random& random) {
  CompensationGraph graph;
  for (int64_t layer = 0; layer < how.layers; ++layer)
    for (const char* part : {"attention_router", "q", "feed_forward"})
      graph.add_node({std::to_string(layer) + "." + part, layer, part});
  graph.add_node({"norm", -1, "norm"});
  const auto nodes = graph.nodes();
  for (const GraphNode& from : nodes)
    for (const GraphNode& to : nodes) {
      const bool planted_edge = how.chain > 0 && is_planted(from.name, to.name);
      if (from.name == to.name || from.layer < 0 || (!planted_edge && random.below(4) == 0)) continue;
      const double distance = to.layer < 0 ? 1 : std::abs(static_cast<double>(to.layer - from.layer));
      const double mean = how.of_edge * random.gauss() - how.near * distance + (planted_edge ? how.chain : 0);
      for (int64_t seed = 1; seed <= how.seeds; ++seed)
        add(graph, from.name, to.name, std::exp(mean + how.of_seed * random.gauss()), {"components", seed});
    }
  return graph;
}

/// In how many of `sets` simulated sets some path has p <= 0.05, by column: the error of the family.
struct Found {
  int strength = 0, weakest = 0, chain = 0;  // chain: of the planted one
};

Found found_in(const Simulated& how, int sets, uint64_t key) {
  Random random(key);
  Found found;
  for (int set = 0; set < sets; ++set) {
    QueryRequest request{"paths"};
    request.draws = 99;
    bool strength = false, weakest = false;
    for (const QueryRow& row : run_query(simulated(how, random), request).rows) {
      const bool meets = row.numbers[0].p <= 0.05;  // false where there is no p
      strength = strength || meets;
      weakest = weakest || row.numbers[1].p <= 0.05;
      if (meets && row.label == join(planted, " -> ")) ++found.chain;
    }
    found.strength += strength ? 1 : 0;
    found.weakest += weakest ? 1 : 0;
  }
  return found;
}

/// 5 % of the sets and three standard errors of a simulated share.
double most_false(int sets) {
  return 0.05 * sets + 3 * std::sqrt(sets * 0.05 * 0.95);
}

constexpr int sets = 300;

TEST(CompensationPathNull, WithoutStructurePathsStandOutInNoMoreThanFivePercent) {
  for (const double near : {0.0, 1.0}) {
    const Found found = found_in({.near = near}, sets, 21);
    RecordProperty("strength", found.strength);
    EXPECT_LE(found.strength, most_false(sets)) << "near " << near;
    EXPECT_LE(found.weakest, most_false(sets)) << "near " << near;
    EXPECT_GT(found.strength + found.weakest, 0.02 * sets) << "a null that never rejects";
    std::cout << "near " << near << ": " << found.strength << " and " << found.weakest << " of " << sets << "\n";
  }
}

TEST(CompensationPathNull, EdgesThatDifferInEverySeedButMeetByChanceAreNoChain) {
  for (const double near : {0.0, 1.0}) {
    const Found found = found_in({.of_edge = 1, .near = near}, sets, 22);
    EXPECT_LE(found.strength, most_false(sets)) << "near " << near;
    EXPECT_GT(found.weakest, 0.75 * sets) << "the same edges are strong in every seed";
    std::cout << "near " << near << ": " << found.strength << " and " << found.weakest << " of " << sets << "\n";
  }
}

TEST(CompensationPathNull, APlantedChainIsFound) {
  constexpr int chains = 60;
  const Found found = found_in({.layers = 6, .of_edge = 0.5, .chain = 2.5}, chains, 23);
  EXPECT_GE(found.chain, 0.8 * chains);
  EXPECT_GE(found.weakest, 0.8 * chains);
  const Found near = found_in({.layers = 6, .near = 0.5, .chain = 2}, chains, 24);
  EXPECT_GE(near.chain, 0.8 * chains);
  std::cout << found.chain << " " << found.weakest << ", near " << near.chain << " of " << chains << "\n";
}

TEST(CompensationPathNull, SaysWhichPathsHaveNoP) {
  Random random(25);
  const CompensationGraph graph = simulated({.layers = 5, .chain = 2.5}, random);
  QueryRequest request = request_of("paths");
  const QueryResult open = run_query(graph, request);
  ASSERT_GE(open.rows.size(), 5U);
  EXPECT_EQ(open.rows[0].numbers[0].value, 1);
  EXPECT_TRUE(std::isnan(open.rows[0].numbers[0].p));  // one edge: the same in every graph of these values
  EXPECT_TRUE(std::isfinite(open.rows[0].numbers[1].p));
  EXPECT_TRUE(has_note(open, "has no p"));
  request.edges.seed = 1;
  for (const QueryRow& row : run_query(graph, request).rows) EXPECT_TRUE(std::isnan(row.numbers[1].p)) << row.label;
  request.edges.seed = std::nullopt;
  request.from = planted[0];
  EXPECT_TRUE(std::isfinite(run_query(graph, request).rows[0].numbers[0].p));  // which edge leaves it is a question

  CompensationGraph alone = nodes_only();  // no two of a kind
  for (int64_t seed = 1; seed <= 3; ++seed) add(alone, "0.q", "1.q", 1, {"components", seed});
  const QueryResult nothing = run_query(alone, request_of("paths"));
  EXPECT_TRUE(std::isnan(nothing.rows.at(0).numbers[1].p));
  EXPECT_TRUE(std::isnan(nothing.rows.at(0).numbers[1].baseline));
}

TEST(CompensationPathNull, ListsTheStrongestOfEachNumberOfEdgesOnce) {
  Random random(26);
  const CompensationGraph graph = simulated({.layers = 5, .chain = 2.5}, random);
  QueryRequest request = request_of("paths");
  request.count = 3;
  const QueryResult result = run_query(graph, request);
  ASSERT_EQ(result.rows.size(), 3U + 2);  // two of the three strongest are edges, one is the two of them that meet
  std::map<std::ptrdiff_t, int> with;     // paths of so many edges
  for (const QueryRow& row : result.rows) ++with[std::ranges::count(row.label, '>')];
  EXPECT_EQ(with, (std::map<std::ptrdiff_t, int>{{1, 2}, {2, 1}, {3, 1}, {4, 1}}));
  EXPECT_EQ(result.rows.back().label, join(planted, " -> "));
}

}  // namespace
}  // namespace absorb
