#include "compensation/graph/queries/queries.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compensation/graph/queries/agreement.h"
#include "compensation/graph/queries/view.h"
#include "core/error.h"
#include "core/random.h"
#include "core/settings.h"
#include "statistics/fieller.h"

namespace absorb {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Two layers of router, module and feed-forward layer, with embedding and final norm.
CompensationGraph nodes_only() {
  CompensationGraph graph;
  graph.add_node({"embedding", -1, "embedding"});
  for (int64_t layer = 0; layer < 2; ++layer)
    for (const char* part : {"attention_router", "q", "k", "feed_forward"})
      graph.add_node({std::to_string(layer) + "." + part, layer, part});
  graph.add_node({"norm", -1, "norm"});
  return graph;
}

struct OfRun {
  std::string measure = "components";
  int64_t seed = 1;
  double error = 0.001;
};

void add(CompensationGraph& graph, const std::string& from, const std::string& to, double value,
         const OfRun& run = {}) {
  graph.add_edge({from, to, value, run.error, 64, run.measure, "learned", "attention", run.seed});
}

QueryRequest request_of(const std::string& query) {
  QueryRequest request{query};
  request.draws = 99;
  return request;
}

const QueryRow& row_of(const QueryResult& result, const std::string& label) {
  const auto found = std::ranges::find(result.rows, label, &QueryRow::label);
  if (found == result.rows.end()) throw InternalError("no row " + label);
  return *found;
}

double value_of(const QueryResult& result, const std::string& label, std::size_t column = 0) {
  return row_of(result, label).numbers.at(column).value;
}

bool has_note(const QueryResult& result, const std::string& part) {
  return std::ranges::any_of(result.notes, [&](const auto& note) { return note.find(part) != std::string::npos; });
}

template <class Act>
std::string user_error_of(const Act& act) {
  try {
    act();
  } catch (const UserError& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "";
}

std::string error_of(const CompensationGraph& graph, const QueryRequest& request) {
  return user_error_of([&] { run_query(graph, request); });
}

/// A graph that every query can be asked: components and coupling over random links, three seeds.
CompensationGraph full_graph(uint64_t key) {
  CompensationGraph graph = nodes_only();
  Random random(key);
  const auto nodes = graph.nodes();
  for (const GraphNode& from : nodes)
    for (const GraphNode& to : nodes) {
      if (from.name == to.name || random.below(4) == 0) continue;
      const double value = std::exp(random.gauss());
      for (int64_t seed = 1; seed <= 3; ++seed) {
        add(graph, from.name, to.name, value * (1 + 0.1 * random.gauss()), {"components", seed, 0.05});
        if (from.name < to.name)
          add(graph, from.name, to.name, value * (1 + 0.5 * random.gauss()), {"coupling", seed, 0.05});
      }
    }
  return graph;
}

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
      const QueryNumber& number = result.rows[row].numbers[name == "groups" ? 1 : 0];
      EXPECT_TRUE(std::isfinite(number.value) && std::isfinite(number.baseline)) << name << " row " << row;
      EXPECT_TRUE(number.p >= 0.01 && number.p <= 1) << name << " row " << row;
      EXPECT_TRUE(std::isfinite(number.standard_error)) << name << " row " << row;
      EXPECT_EQ(number.p, again.rows[row].numbers[name == "groups" ? 1 : 0].p);
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

CompensationGraph chain() {
  CompensationGraph graph = nodes_only();
  add(graph, "0.attention_router", "0.q", 4);
  add(graph, "0.q", "1.k", 2);
  add(graph, "1.k", "norm", 4);
  add(graph, "0.attention_router", "0.k", 1);
  add(graph, "0.k", "norm", 1);
  add(graph, "0.attention_router", "norm", -3);
  add(graph, "embedding", "0.q", -1);
  return graph;
}

TEST(CompensationPaths, StrengthIsTheProductOfSharesOfTheLargest) {
  QueryRequest request = request_of("paths");
  request.from = "0.attention_router";
  request.to = "norm";
  const QueryResult result = run_query(chain(), request);
  ASSERT_EQ(result.rows.size(), 2U);
  EXPECT_EQ(result.rows[0].label, "0.attention_router -> 0.q -> 1.k -> norm");
  EXPECT_DOUBLE_EQ(result.rows[0].numbers[0].value, 0.5);
  EXPECT_DOUBLE_EQ(result.rows[0].numbers[1].value, 2);
  EXPECT_EQ(result.rows[1].label, "0.attention_router -> 0.k -> norm");
  EXPECT_DOUBLE_EQ(result.rows[1].numbers[0].value, 1.0 / 16);
  EXPECT_TRUE(has_note(result, "only 2 of the 5"));
  request.to = std::nullopt;
  request.count = 3;
  const QueryResult open = run_query(chain(), request);
  EXPECT_EQ(open.rows[0].label, "0.attention_router -> 0.q");
  EXPECT_EQ(open.rows[1].label, "0.attention_router -> 0.q -> 1.k");
}

TEST(CompensationPaths, AnAbsentNodeOrPathIsTheUsersError) {
  QueryRequest request = request_of("paths");
  request.from = "2.q";
  EXPECT_EQ(error_of(chain(), request),
            "this graph has no node 2.q; it has embedding, 0.attention_router, 0.q, 0.k, 0.feed_forward, "
            "1.attention_router, 1.q, 1.k, 1.feed_forward, norm");
  request.from = "norm";
  request.to = "0.q";
  EXPECT_EQ(error_of(chain(), request),
            "no path from norm to 0.q: no edges of components with a value above 0 connect them in learned attention");
  request.from = "embedding";  // its only edge is negative
  EXPECT_NE(error_of(chain(), request), "");
  request.from = request.to;
  EXPECT_NE(error_of(chain(), request).find("both 0.q"), std::string::npos);
}

TEST(CompensationPaths, WithoutDirectionGoBothWays) {
  CompensationGraph graph = nodes_only();
  add(graph, "0.q", "1.k", 2, {"coupling"});
  add(graph, "0.q", "1.q", 1, {"coupling"});
  QueryRequest request = request_of("paths");
  request.edges.measure = "coupling";
  request.from = "1.k";
  request.to = "1.q";
  EXPECT_EQ(run_query(graph, request).rows.at(0).label, "1.k - 0.q - 1.q");
}

TEST(CompensationSharing, OneSourceIsOneAndEqualOnesCountThemselves) {
  CompensationGraph graph = nodes_only();
  add(graph, "0.attention_router", "1.q", 2);
  for (const char* from : {"0.attention_router", "0.q", "0.k", "0.feed_forward"}) add(graph, from, "1.k", 3);
  add(graph, "embedding", "1.k", -7);
  const QueryResult result = run_query(graph, request_of("sharing"));
  EXPECT_NEAR(value_of(result, "1.q"), 1, 1e-12);
  EXPECT_NEAR(value_of(result, "1.k"), 4, 1e-12);
  EXPECT_EQ(value_of(result, "1.k", 1), 5);
  EXPECT_EQ(value_of(result, "1.k", 2), 12);
  EXPECT_NEAR(value_of(result, "all, weighted by what they make up"), (2 * 1 + 12 * 4) / 14.0, 1e-12);
}

TEST(CompensationAgreement, GroupsAreMadeOfTheirParts) {
  EXPECT_DOUBLE_EQ(predicted_edge("first_order", std::vector<double>{1, 2, -0.5}), 2.5);
  EXPECT_DOUBLE_EQ(predicted_edge("coupling", std::vector<double>{3, 4}), 5);
  EXPECT_DOUBLE_EQ(predicted_edge("curvature", std::vector<double>{3, -5}), -4);
  EXPECT_TRUE(std::isnan(predicted_edge("coupling", {})));
}

TEST(CompensationAgreement, MatchesGroupsAndEitherDirection) {
  CompensationGraph graph = nodes_only();
  graph.add_node({"0.q+k", 0, "q+k"});
  graph.add_node({"1.block", 1, "block"});
  const OfRun coupling{"coupling"}, recovery{"recovery"};
  add(graph, "0.attention_router", "0.q", 3, coupling);
  add(graph, "0.attention_router", "0.k", 4, coupling);  // 0.q+k: 5
  add(graph, "0.attention_router", "1.q", 6, coupling);
  add(graph, "0.attention_router", "1.feed_forward", 8, coupling);  // 1.block: 10
  add(graph, "0.attention_router", "norm", 7, coupling);
  add(graph, "0.attention_router", "0.feed_forward", 1, coupling);
  add(graph, "0.attention_router", "0.attention_router", 99, recovery);
  add(graph, "0.attention_router", "0.q+k", 0.2, recovery);
  add(graph, "0.attention_router", "1.block", 0.4, recovery);
  add(graph, "0.attention_router", "norm", 0.3, recovery);
  add(graph, "0.attention_router", "embedding", 0.9, recovery);  // not predicted
  add(graph, "0.attention_router", "0.feed_forward", 0.1, recovery);
  const auto found = agreements(graph, {}, 9);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].pairs, 4U);
  EXPECT_DOUBLE_EQ(found[0].value, 1);
  EXPECT_EQ(found[0].random.size(), 9U);

  CompensationGraph turned = nodes_only();  // coupling stands from the end that sorts first
  add(turned, "0.q", "1.q", 1, coupling);
  add(turned, "0.k", "1.q", 2, coupling);
  add(turned, "1.q", "0.q", 5, {"components"});
  add(turned, "0.k", "1.q", 3, {"components"});
  EXPECT_DOUBLE_EQ(agreements(turned, {}, 0).at(0).value, -1);
}

TEST(CompensationAgreement, UsesTheSeedsThatBothHave) {
  CompensationGraph graph = nodes_only();
  for (int64_t seed : {1, 2, 3}) {
    add(graph, "0.q", "1.q", 1, {"first_order", seed});
    add(graph, "0.q", "1.k", 2, {"first_order", seed});
    if (seed == 3) continue;
    add(graph, "0.q", "1.q", seed == 1 ? 1 : 5, {"components", seed});
    add(graph, "0.q", "1.k", 2, {"components", seed});
  }
  const auto found = agreements(graph, {}, 0);
  EXPECT_EQ(found.at(0).seeds, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(found[0].by_seed, (std::vector<double>{1, -1}));
}

TEST(CompensationExploratory, HubsAreTheStrongest) {
  QueryRequest request = request_of("hubs");
  request.count = 2;
  const QueryResult result = run_query(chain(), request);
  ASSERT_EQ(result.rows.size(), 2U);
  EXPECT_EQ(result.rows[0].label, "0.q");
  EXPECT_EQ(result.rows[0].numbers[0].value, 2);
  EXPECT_EQ(result.rows[0].numbers[1].value, 4);
  // From the router to 1.k and to norm by 0.q (1 against 2 of lengths), of 5 x 4 ordered pairs of the others.
  EXPECT_DOUBLE_EQ(result.rows[0].numbers[2].value, 2.0 / 20);
}

TEST(CompensationExploratory, ContainmentNeedsEveryPathAboveNoise) {
  CompensationGraph graph = nodes_only();
  add(graph, "0.attention_router", "0.q", 4);
  for (const char* to : {"1.q", "1.k", "norm"}) add(graph, "0.q", to, 1);
  add(graph, "0.attention_router", "norm", 1, {"components", 1, 0.9});  // within its noise
  const QueryResult result = run_query(graph, request_of("containment"));
  ASSERT_EQ(result.rows.size(), 2U);
  EXPECT_DOUBLE_EQ(value_of(result, "0.attention_router through any one component"), 3.0 / 4);
  EXPECT_DOUBLE_EQ(value_of(result, "0.attention_router through 0.q"), 3.0 / 4);
  add(graph, "0.attention_router", "1.q", 2);
  EXPECT_DOUBLE_EQ(run_query(graph, request_of("containment")).rows.at(0).numbers[0].value, 2.0 / 4);
  add(graph, "0.attention_router", "1.k", 2);
  add(graph, "0.attention_router", "norm", 2, {"components", 2});
  const QueryResult around = run_query(graph, request_of("containment"));
  ASSERT_EQ(around.rows.size(), 1U);
  EXPECT_EQ(around.rows[0].numbers[0].value, 0);
}

TEST(CompensationExploratory, CapacityIsWhatTheCutCosts) {
  CompensationGraph graph = chain();
  add(graph, "1.q", "0.k", 50);  // leads back
  const QueryResult capacity = run_query(graph, request_of("capacity")), cut = run_query(graph, request_of("cut"));
  EXPECT_DOUBLE_EQ(value_of(capacity, "0.attention_router"), 3);
  EXPECT_DOUBLE_EQ(value_of(cut, "all edges of the cut from 0.attention_router"), 3);
  EXPECT_DOUBLE_EQ(value_of(cut, "0.q -> 1.k"), 2);
  ASSERT_EQ(cut.rows.size(), 3U);
  EXPECT_TRUE(has_note(capacity, "1 of 8 edges lead back or stay in place and are left out: 50.000000 nats per token"));
  QueryRequest request = request_of("capacity");
  request.from = "norm";
  EXPECT_NE(error_of(graph, request).find("begin where it ends"), std::string::npos);
  request.from = "0.q";
  EXPECT_DOUBLE_EQ(value_of(run_query(graph, request), "0.q"), 2);
}

TEST(CompensationExploratory, SourcesAreRoutersTogetherAndAlone) {
  CompensationGraph graph = chain();
  add(graph, "1.attention_router", "1.k", 10);
  const QueryResult result = run_query(graph, request_of("capacity"));
  ASSERT_EQ(result.rows.size(), 3U);
  EXPECT_DOUBLE_EQ(value_of(result, "all routers"), 5);
  EXPECT_DOUBLE_EQ(value_of(result, "1.attention_router"), 4);
  CompensationGraph none = nodes_only();
  add(none, "0.q", "norm", 1);
  EXPECT_NE(error_of(none, request_of("cut")).find("say --from NODE, one of embedding"), std::string::npos);
}

TEST(CompensationExploratory, GroupsAreFoundAgain) {
  CompensationGraph graph = nodes_only();
  const auto nodes = graph.nodes();
  for (const GraphNode& from : nodes)
    for (const GraphNode& to : nodes)
      if (from.name < to.name && from.layer >= 0 && to.layer >= 0)
        add(graph, from.name, to.name, from.layer == to.layer ? 1 : 0.05, {"coupling"});
  QueryRequest request = request_of("groups");
  request.edges.measure = "coupling";
  const QueryResult result = run_query(graph, request);
  ASSERT_EQ(result.rows.size(), 3U);
  EXPECT_EQ(value_of(result, "all"), 8);
  EXPECT_EQ(value_of(result, "0.attention_router, 0.q, 0.k, 0.feed_forward"), 4);
  EXPECT_EQ(value_of(result, "1.attention_router, 1.q, 1.k, 1.feed_forward"), 4);
  EXPECT_NEAR(value_of(result, "all", 2), 12 / 12.8 - 0.5, 1e-12);
  EXPECT_EQ(row_of(result, "all").numbers[2].p, 0.01);
}

}  // namespace
}  // namespace absorb
