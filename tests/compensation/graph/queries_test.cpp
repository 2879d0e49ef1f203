#include "compensation/graph/queries/agreement.h"
#include "compensation/graph/queries/view.h"
#include "core/settings.h"
#include "statistics/fieller.h"
#include "tests/compensation/graph/queries_fixture.h"

namespace absorb {
namespace {

TEST(CompensationQueries, AllStandBesideABaselineAndAreRepeatable) {
  const CompensationGraph graph = full_graph(1);
  for (const std::string& name : query_names()) {
    if (name == "compare") continue;
    const QueryResult result = run_query(graph, request_of(name)), again = run_query(graph, request_of(name));
    EXPECT_EQ(result.name, name);
    EXPECT_EQ(result.draws, 99) << name;
    EXPECT_EQ(result.seeds, (std::vector<int64_t>{1, 2, 3})) << name;
    EXPECT_EQ(result.arm, "learned");
    EXPECT_FALSE(result.rows.empty()) << name;
    for (std::size_t row = 0; row < result.rows.size(); ++row) {
      ASSERT_EQ(result.rows[row].numbers.size(), result.columns.size()) << name;
      const std::size_t column = name == "groups" || name == "paths" ? 1 : 0;  // a single edge's strength has no p
      const QueryNumber& number = result.rows[row].numbers[column];
      EXPECT_TRUE(std::isfinite(number.value) && std::isfinite(number.baseline)) << name << " row " << row;
      EXPECT_TRUE(number.p >= 0.01 && number.p <= 1) << name << " row " << row;
      EXPECT_TRUE(std::isfinite(number.standard_error)) << name << " row " << row;
      EXPECT_EQ(number.p, again.rows[row].numbers[column].p);
    }
  }
  const std::vector<std::string> exploratory = {"hubs", "containment", "capacity", "cut", "groups"};
  for (const std::string& name : query_names()) {
    if (name == "compare") continue;
    EXPECT_EQ(run_query(graph, request_of(name)).exploratory, std::ranges::count(exploratory, name) == 1);
  }
}

TEST(CompensationQueries, WrongRequestsAreTheUsersError) {
  CompensationGraph graph = full_graph(1);
  EXPECT_EQ(error_of(graph, {"shares"}),
            "unknown query shares; known: share, paths, sharing, agreement, compare, hubs, containment, capacity, cut, "
            "groups");
  QueryRequest request{"share"};
  request.edges.arm = "rnd";
  EXPECT_EQ(error_of(graph, request),
            "this graph has no edges of arm rnd; it has the arms learned, the targets attention, the measures "
            "components, coupling");
  request = {"agreement"};
  request.edges.arm = "rnd";
  EXPECT_NE(error_of(graph, request).find("has no edges of arm rnd"), std::string::npos);
  graph.add_edge({"0.q", "1.q", 1, 1, 1, "components", "random", "attention", 1});
  EXPECT_EQ(error_of(graph, {"share"}), "this graph has several arms: choose one by --arm: learned, random");
  EXPECT_NE(error_of(CompensationGraph{}, {"share"}).find("no edges yet"), std::string::npos);
  CompensationGraph drift = nodes_only();
  add(drift, "0.q", "0.q", 1, {"drift"});
  EXPECT_NE(error_of(drift, {"hubs"}).find("drift has no edges between nodes"), std::string::npos);
  EXPECT_NE(error_of(drift, {"agreement"}).find("agreement needs predicted edges"), std::string::npos);
}

TEST(CompensationQueries, MeanIsOverTheSeedsThatHaveTheEdge) {
  CompensationGraph graph = nodes_only();
  add(graph, "0.q", "1.q", 1, {"components", 1});
  add(graph, "0.q", "1.q", 4, {"components", 2});
  add(graph, "0.q", "1.k", 7, {"components", 2, 0.5});
  const GraphView view = view_of(graph, {}, {});
  EXPECT_EQ(view.mean.value, (std::vector<double>{2.5, 7}));
  EXPECT_DOUBLE_EQ(view.mean.error[0], 1.5);
  EXPECT_DOUBLE_EQ(view.mean.error[1], 0.5);
  EXPECT_TRUE(std::isnan(view.by_seed[0].value[1]));
  const GraphView second = view_of(graph, {.seed = 2}, {});
  EXPECT_EQ(second.mean.value, (std::vector<double>{4, 7}));
}

TEST(CompensationShare, OfOneSeedIsThatOfTheGraph) {
  CompensationGraph graph = nodes_only();
  const OfRun run{"recovery", 1, 0.01};
  add(graph, "0.attention_router", "0.attention_router", 9, run);
  add(graph, "0.attention_router", "0.q", 0.3, run);
  add(graph, "0.attention_router", "1.q", 0.2, run);
  add(graph, "0.attention_router", "norm", -0.05, run);
  add(graph, "0.attention_router", "embedding", 5, run);
  add(graph, "1.attention_router", "1.q", 0.01, run);
  const QueryResult result = run_query(graph, request_of("share"));
  const OwnAndCross expected = graph.own_and_cross()[0];
  ASSERT_EQ(result.rows.size(), 3U);
  EXPECT_DOUBLE_EQ(value_of(result, "0.attention_router", 0), expected.own);
  EXPECT_DOUBLE_EQ(value_of(result, "0.attention_router", 1), expected.cross);
  EXPECT_DOUBLE_EQ(value_of(result, "0.attention_router", 2), expected.share.value());
  EXPECT_DOUBLE_EQ(row_of(result, "0.attention_router").numbers[1].standard_error, expected.cross_error);
  EXPECT_TRUE(std::isnan(value_of(result, "1.attention_router", 2)));
  EXPECT_TRUE(
      has_note(result, "1.attention_router: the share is undefined, since own + cross is 0.010000 nats per token"));
  EXPECT_DOUBLE_EQ(value_of(result, "all", 0), 0.31);
  EXPECT_DOUBLE_EQ(value_of(result, "all", 2), 0.15 / 0.46);
}

TEST(CompensationShare, OfSeveralSeedsHasFiellersInterval) {
  CompensationGraph graph = nodes_only();
  const std::vector<double> own = {0.3, 0.35, 0.28, 0.33}, cross = {0.1, 0.14, 0.11, 0.09};
  std::vector<double> sums;
  for (int64_t seed = 0; seed < 4; ++seed) {
    const auto i = static_cast<std::size_t>(seed);
    add(graph, "0.attention_router", "0.q", own[i], {"recovery", seed, nan});
    add(graph, "0.attention_router", "1.q", cross[i], {"recovery", seed, nan});
    sums.push_back(own[i] + cross[i]);
  }
  const QueryResult result = run_query(graph, request_of("share"));
  const QueryNumber share = row_of(result, "all").numbers[2];
  EXPECT_NEAR(share.value, 0.44 / 1.70, 1e-12);
  const auto interval = fieller(cross, sums);
  EXPECT_DOUBLE_EQ(share.ci95.value().low, interval.value().low);
  EXPECT_DOUBLE_EQ(share.ci95.value().high, interval.value().high);
  EXPECT_GT(share.standard_error, 0);
  EXPECT_DOUBLE_EQ(row_of(result, "all").numbers[1].ci95.value().high, t_interval(cross).value().high);
}

TEST(CompensationShare, LayersAddUpTheirComponents) {
  CompensationGraph graph = nodes_only();
  add(graph, "0.q", "0.k", 3);
  add(graph, "0.k", "1.k", 1);
  add(graph, "1.k", "1.q", 2);
  add(graph, "embedding", "1.q", 50);
  const QueryResult result = run_query(graph, request_of("share"));
  ASSERT_EQ(result.rows.size(), 2U);
  EXPECT_EQ(value_of(result, "layer 0", 2), 0.25);
  EXPECT_DOUBLE_EQ(value_of(result, "all", 2), 1.0 / 6);
}

/// As many graphs without any structure as it takes: the baseline's p must be uniform.
TEST(CompensationBaseline, EdgesWithoutStructureReachItAsOftenAsItSays) {
  Random random(3);
  int below = 0, half = 0;
  constexpr int graphs = 400;
  for (int draw = 0; draw < graphs; ++draw) {
    CompensationGraph graph = nodes_only();
    const auto nodes = graph.nodes();
    for (const GraphNode& from : nodes)
      for (const GraphNode& to : nodes)
        if (from.name != to.name && random.below(2) == 0) add(graph, from.name, to.name, std::exp(random.gauss()));
    QueryRequest request{"share"};
    request.draws = 19;
    const double p = row_of(run_query(graph, request), "all").numbers[2].p;
    below += p <= 0.05 ? 1 : 0;
    half += p <= 0.5 ? 1 : 0;
  }
  EXPECT_NEAR(below, 0.05 * graphs, 4 * std::sqrt(graphs * 0.05 * 0.95) + 8);  // the 19 draws themselves vary
  EXPECT_NEAR(half, 0.5 * graphs, 4 * std::sqrt(graphs * 0.25) + 8);
}

TEST(CompensationBaseline, PlantedCrossLayerEdgesStandOut) {
  CompensationGraph graph = nodes_only();
  const auto nodes = graph.nodes();
  for (const GraphNode& from : nodes)
    for (const GraphNode& to : nodes)
      if (from.name != to.name) add(graph, from.name, to.name, from.layer == to.layer ? 1 : 5);
  const QueryNumber share = row_of(run_query(graph, request_of("share")), "all").numbers[2];
  EXPECT_EQ(share.p, 0.01);
  EXPECT_LT(share.baseline, share.value - 0.05);
}

}  // namespace
}  // namespace absorb
