// Queries about ways through the graph, agreement of measures, and what is exploratory.
#include "compensation/graph/queries/agreement.h"
#include "compensation/graph/queries/view.h"
#include "core/settings.h"
#include "statistics/fieller.h"
#include "tests/compensation/graph/queries_fixture.h"

namespace absorb {
namespace {

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
