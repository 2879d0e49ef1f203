#include "compensation/graph/queries/compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.h"
#include "core/random.h"
#include "tests/statistics/simulate.h"

namespace absorb {
namespace {

struct ArmOf {
  std::string arm;
  std::vector<int64_t> seeds;
  double cross = 1;  // factor of cross-layer edges
};

struct World {
  std::vector<double> mean;              // of each link
  std::map<int64_t, double> seed_scale;  // what the arms of one seed share
};

World world_of(Random& random) {
  World world;
  for (int link = 0; link < 90; ++link) world.mean.push_back(std::exp(random.gauss()));
  for (int64_t seed = 1; seed <= 12; ++seed) world.seed_scale[seed] = std::exp(0.5 * random.gauss());
  return world;
}

/// Runs of one arm: the same true graph, noise of a third of the value.
void add_arm(CompensationGraph& graph, const World& world, const ArmOf& arm, Random& random) {
  std::vector<GraphNode> nodes;
  for (int64_t layer = 0; layer < 3; ++layer)
    for (const char* part : {"attention_router", "q", "o"})
      nodes.push_back({std::to_string(layer) + "." + part, layer, part});
  nodes.push_back({"norm", -1, "norm"});
  for (const GraphNode& node : nodes) graph.add_node(node);
  for (int64_t seed : arm.seeds)
    for (std::size_t i = 0, link = 0; i < nodes.size(); ++i)
      for (std::size_t j = 0; j < nodes.size(); ++j) {
        if (i == j) continue;
        const double factor = nodes[i].layer == nodes[j].layer ? 1 : arm.cross;
        const auto noisy = [&] { return world.mean[link] * world.seed_scale.at(seed) * (1 + 0.33 * random.gauss()); };
        const double error = 0.33 * world.mean[link];
        graph.add_edge(
            {nodes[i].name, nodes[j].name, factor * noisy(), error, 64, "components", arm.arm, "attention", seed});
        if (i < j)
          graph.add_edge({nodes[i].name, nodes[j].name, noisy(), error, 64, "coupling", arm.arm, "attention", seed});
        ++link;
      }
}

QueryRequest request_of(int64_t draws) {
  QueryRequest request{"compare"};
  request.edges.arm = "a";
  request.against.arm = "b";
  request.draws = draws;
  return request;
}

/// How often each number's p is at most 0.05 where nothing differs.
std::map<std::string, double> rejections(const ArmOf& a, const ArmOf& b, int worlds) {
  Random random(21);
  std::map<std::string, double> shares;
  for (int draw = 0; draw < worlds; ++draw) {
    const World world = world_of(random);
    CompensationGraph graph;
    add_arm(graph, world, a, random);
    add_arm(graph, world, b, random);
    std::vector<std::string> notes;
    for (const ComparedNumber& number : compared_numbers(graph, request_of(0), notes))
      shares[number.query + ": " + number.name] += number.p <= 0.05 + 1e-9 ? 1.0 / worlds : 0;
  }
  return shares;
}

TEST(CompensationCompare, PairsThatDoNotDifferAreTakenForDifferentAtMostAsOftenAsTheLevelSays) {
  constexpr int worlds = 300;
  const auto shares = rejections({"a", {1, 2, 3, 4, 5, 6}}, {"b", {1, 2, 3, 4, 5, 6}}, worlds);
  EXPECT_GE(shares.size(), 20U);
  double mean = 0;
  for (const auto& [name, share] : shares) {
    EXPECT_LE(share, 0.05 + monte_carlo_error(0.05, worlds)) << name;
    mean += share / static_cast<double>(shares.size());
  }
  // With 6 seeds p <= 0.05 means the smallest of 32: it must be reached, or the test above would say nothing.
  EXPECT_NEAR(mean, 1.0 / 32, 0.012);
}

TEST(CompensationCompare, SoAreRunsOfOtherSeeds) {
  constexpr int worlds = 200;
  const auto shares = rejections({"a", {1, 2, 3, 4}}, {"b", {5, 6, 7, 8, 9}}, worlds);
  double mean = 0;
  for (const auto& [name, share] : shares) {
    EXPECT_LE(share, 0.05 + monte_carlo_error(0.05, worlds)) << name;
    mean += share / static_cast<double>(shares.size());
  }
  EXPECT_NEAR(mean, 6.0 / 126, 0.025);
}

CompensationGraph two_arms(const ArmOf& a, const ArmOf& b) {
  Random random(5);
  const World world = world_of(random);
  CompensationGraph graph;
  add_arm(graph, world, a, random);
  add_arm(graph, world, b, random);
  return graph;
}

const QueryRow& row_of(const QueryResult& result, const std::string& label) {
  const auto found = std::ranges::find(result.rows, label, &QueryRow::label);
  if (found == result.rows.end()) throw InternalError("no row " + label);
  return *found;
}

TEST(CompensationCompare, APlantedDifferenceIsFound) {
  const std::vector<int64_t> seeds = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  const QueryResult result = run_query(two_arms({"a", seeds, 2}, {"b", seeds, 1}), request_of(19));
  EXPECT_EQ(result.arm, "a against b");
  const QueryRow& share = row_of(result, "share: share of all (components)");
  ASSERT_EQ(share.numbers.size(), 5U);
  EXPECT_NEAR(share.numbers[2].value, share.numbers[0].value - share.numbers[1].value, 1e-12);
  EXPECT_GT(share.numbers[2].value, 0);
  EXPECT_DOUBLE_EQ(share.numbers[3].value, 2.0 / 1024);
  EXPECT_GE(share.numbers[4].value, share.numbers[3].value);
  EXPECT_LE(share.numbers[4].value, 0.05);
  EXPECT_TRUE(std::isfinite(share.numbers[2].baseline));
  EXPECT_LE(share.numbers[2].p, 0.1);
  // What was left alone: coupling, and own-layer edges.
  EXPECT_GT(row_of(result, "share: own layer of all (components)").numbers[3].value, 0.05);
  EXPECT_TRUE(std::isnan(row_of(result, "exploratory, capacity: capacity (components)").numbers[4].value));
  EXPECT_LE(row_of(result, "exploratory, capacity: capacity (components)").numbers[3].value, 0.01);
}

TEST(CompensationCompare, EveryQueryTakesPart) {
  const QueryResult result = run_query(two_arms({"a", {1, 2, 3}}, {"b", {1, 2, 3}}), request_of(3));
  for (const std::string& query : query_names()) {
    if (query == "compare" || query == "cut") continue;  // the cut is in the capacity
    EXPECT_TRUE(std::ranges::any_of(result.rows, [&](const QueryRow& row) {
      return row.label.find(query + ": ") != std::string::npos;
    })) << query;
  }
  EXPECT_NE(result.notes[0].find("with 3 seeds no p is below 0.2500"), std::string::npos) << result.notes[0];
}

TEST(CompensationCompare, IdenticalRunsDifferInNothing) {
  CompensationGraph graph = two_arms({"a", {1, 2, 3, 4, 5, 6}}, {"c", {1}});
  for (GraphEdge edge : graph.edges({.arm = "a"})) {
    edge.arm = "b";
    graph.add_edge(edge);
  }
  for (const QueryRow& row : run_query(graph, request_of(0)).rows) {
    EXPECT_EQ(row.numbers[2].value, 0) << row.label;
    EXPECT_EQ(row.numbers[3].value, 1) << row.label;
  }
}

TEST(CompensationCompare, WhatOnlyOneSideHasIsNamed) {
  CompensationGraph graph = two_arms({"a", {1, 2, 3}}, {"c", {1}});
  for (GraphEdge edge : graph.edges({.measure = "components", .arm = "a"})) {
    edge.arm = "b";
    if (edge.from != "2.attention_router") graph.add_edge(edge);
  }
  const QueryResult result = run_query(graph, request_of(0));
  const auto noted = [&](const std::string& part) {
    return std::ranges::any_of(result.notes, [&](const auto& note) { return note.find(part) != std::string::npos; });
  };
  EXPECT_TRUE(noted("agreement isn't compared"));
  EXPECT_TRUE(noted("share: share of 2.attention_router (components)"));
}

TEST(CompensationCompare, WrongSidesAreTheUsersError) {
  const CompensationGraph graph = two_arms({"a", {1, 2}}, {"b", {1, 2}});
  const auto error_of = [&](const QueryRequest& request) -> std::string {
    try {
      run_query(graph, request);
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  };
  QueryRequest request = request_of(0);
  request.against.arm = "a";
  EXPECT_NE(error_of(request).find("two sides that differ"), std::string::npos);
  request = request_of(0);
  request.edges.seed = 1;
  EXPECT_NE(error_of(request).find("leave --seed out"), std::string::npos);
  request = request_of(0);
  request.against.arm = "z";
  EXPECT_NE(error_of(request).find("no edges of arm z"), std::string::npos) << error_of(request);
}

}  // namespace
}  // namespace absorb
