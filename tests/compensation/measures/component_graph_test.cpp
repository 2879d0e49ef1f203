#include "compensation/measures/component_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "compensation/graph/nodes.h"
#include "compensation/recovery/recovery.h"
#include "core/error.h"
#include "statistics/counting/ranks.h"
#include "tests/compensation/folder.h"
#include "tests/compensation/linear_plants.h"

namespace absorb {
namespace {

CompensationSettings settings_of(double damage, int64_t dimension) {
  CompensationSettings settings;
  settings.steps = {2, 5};
  settings.dimensions = {dimension};
  settings.component_draws = 1;
  settings.damage = damage;
  settings.sequences = 4;
  return settings;
}

using Edges = std::vector<std::pair<Component, Component>>;

/// Ten edges, within and across layers, of routers and of others; 3.q has two.
Edges planted() {
  return {{{0, Part::o, 0}, {2, Part::v, 0}},
          {{1, Part::attention_router, 0}, {3, Part::q, 0}},
          {{0, Part::attention_router, 0}, {1, Part::feed_forward, 0}},
          {{2, Part::attention_router, 0}, {2, Part::k, 0}},
          {{1, Part::o, 0}, {3, Part::feed_forward, 0}},
          {{-1, Part::embedding, 0}, {0, Part::norm, 0}},
          {{1, Part::v, 0}, {1, Part::k, 0}},
          {{3, Part::norm, 0}, {-1, Part::norm, 0}},
          {{2, Part::o, 0}, {3, Part::o, 0}},
          {{0, Part::q, 0}, {3, Part::q, 0}}};
}

std::string name(const Component& component) {
  return node_of({"", {component}}).name;
}

/// Over all ordered pairs of different parts; an edge that was not measured counts as 0.
double auc_of(const Measurement& measurement, const Edges& edges) {
  std::set<std::pair<std::string, std::string>> both_ways;
  for (const auto& [a, b] : edges) {
    both_ways.insert({name(a), name(b)});
    both_ways.insert({name(b), name(a)});
  }
  std::map<std::pair<std::string, std::string>, double> measured;
  for (const GraphEdge& edge : measurement.edges) measured[{edge.from, edge.to}] = edge.value;
  std::vector<double> values;
  std::vector<bool> is_planted;
  for (const GraphNode& from : measurement.nodes)
    for (const GraphNode& to : measurement.nodes) {
      if (from.name == to.name) continue;
      values.push_back(measured[{from.name, to.name}]);
      is_planted.push_back(both_ways.contains({from.name, to.name}));
    }
  return auc(values, is_planted);
}

TEST(CompensationComponents, APlantedGraphIsFound) {
  const double damage = 0.02;
  double before = 1;
  for (double noise : {0.0, 0.5, 1.0, 2.0}) {
    // In units of the residual whose loss is the damage: what one sequence adds to an output.
    LinearSubject subject({.outputs = 10, .sequences = 4, .noise = noise * std::sqrt(2 * damage), .paired = false});
    plant_edges(subject, planted(), 1, 0.002);
    const Measurement measurement = measure_components(subject, settings_of(damage, 0), {});
    const double found = auc_of(measurement, planted());
    EXPECT_GE(found, noise == 0 ? 1 : noise <= 1 ? 0.9 : 0.5);
    EXPECT_LE(found, before);
    before = found;
  }
}

const Group& part(const std::vector<Group>& groups, const std::string& name) {
  const auto found = std::find_if(groups.begin(), groups.end(), [&](const Group& group) { return group.name == name; });
  check(found != groups.end(), "no part {}", name);
  return *found;
}

TEST(CompensationComponents, AgreeWithTheClosedFormAtEqualDose) {
  LinearSubject subject({.layers = 2, .noise = 0.01, .router = Part::expert_router}, 0.005);
  subject.goal_at_distance(0);
  CompensationSettings settings = settings_of(0.1, 6);
  settings.component_draws = 2;
  settings.sequences = 8;  // all, whose noise is 0 on average
  const Measurement measurement = measure_components(subject, settings, {});
  EXPECT_TRUE(std::none_of(measurement.notes.begin(), measurement.notes.end(),
                           [](auto& note) { return note.find("no edges") != std::string::npos; }));
  const auto groups = part_groups(subject.components());
  ASSERT_EQ(measurement.edges.size(), groups.size() * groups.size());
  EXPECT_EQ(measurement.nodes.size(), groups.size());
  std::map<std::string, double> dose;
  for (const Json& one : measurement.details.at("disturbed")) dose[one.at("name")] = one.at("dose");
  for (const GraphEdge& edge : measurement.edges) {
    const Group &from = part(groups, edge.from), &to = part(groups, edge.to);
    double damage = 0, recovered = 0;
    for (uint64_t draw : {0, 1}) {
      const Disturbance disturbance{from.components, draw, dose.at(edge.from)};
      damage += subject.damage(disturbance) / 2;
      recovered += subject.recovery(disturbance, {{to.components}, {5}, 6, draw}) / 2;
    }
    EXPECT_NEAR(damage, 0.1, 0.02 * 0.1) << edge.from;
    EXPECT_NEAR(edge.value, recovered, 0.01 * std::abs(recovered) + 1e-9) << edge.from << " " << edge.to;
    EXPECT_EQ(edge.measure, "components");
    EXPECT_EQ(edge.samples, 16);
  }
}

TEST(CompensationComponents, WithoutEnoughDamageAreUndefinedWithTheFigure) {
  LinearSubject subject({.layers = 1, .sequences = 4, .noise = 0.01});
  subject.set_gain({0, Part::q, 0}, 0);
  subject.set_gain(subject.router(0), 0.01);
  subject.goal_at_distance(0);
  MeasureContext context;
  context.layers = {0};
  int64_t last = 0, whole = 0;
  context.progress = [&](std::string_view, int64_t done, int64_t total) {
    EXPECT_GE(done, last);
    EXPECT_LT(done, total);
    last = done;
    whole = total;
  };
  CompensationSettings settings = settings_of(0, 6);
  settings.component_draws = 1;
  const Measurement measurement = measure_components(subject, settings, context);
  EXPECT_EQ(last, whole - 1);
  ASSERT_GE(measurement.notes.size(), 2U);
  EXPECT_EQ(measurement.notes[1],
            "0.q: its largest disturbance costs 0.000000 nats, within its noise (2 standard errors = 0.000000): no "
            "edges leave it");
  EXPECT_EQ(measurement.notes[0], fmt::format("0.attention_router: its largest disturbance costs {:.6f} nats, less "
                                              "than the damage of 0.02: no edges leave it",
                                              subject.damage({{subject.router(0)}, 0, 1})));
  std::set<std::string> from;
  for (const GraphEdge& edge : measurement.edges) from.insert(edge.from);
  EXPECT_EQ(from, (std::set<std::string>{"0.k", "0.v", "0.o", "0.norm", "0.feed_forward"}));  // of layer 0 alone
}

TEST(CompensationComponents, GoOnAfterAKillWithTheSameBits) {
  const Folder folder;
  MeasureContext context;
  context.layers = {0};
  CompensationSettings settings = settings_of(0.1, 6);
  const auto make = [] {
    LinearSubject subject({.layers = 1, .sequences = 4, .noise = 0.01}, 0.005);
    subject.goal_at_distance(0);
    return subject;
  };
  LinearSubject whole = make(), killed = make();
  const Measurement expected = measure_components(whole, settings, context);
  context.cache = folder.path();
  for (int64_t calls : {3, 9, 14}) {
    killed.stop_after(calls);
    EXPECT_THROW(measure_components(killed, settings, context), std::runtime_error);
  }
  killed.stop_after(-1);
  const Measurement resumed = measure_components(killed, settings, context);
  EXPECT_EQ(killed.calls(), whole.calls());
  EXPECT_EQ(resumed.details, expected.details);
  ASSERT_EQ(resumed.edges.size(), expected.edges.size());
  for (std::size_t e = 0; e < expected.edges.size(); ++e) EXPECT_EQ(resumed.edges[e].value, expected.edges[e].value);
}

TEST(CompensationComponents, ThatDivergeAreNamedCountedAndLeftOut) {
  LinearSubject subject({.layers = 1, .sequences = 4, .noise = 0.01});
  subject.set_gain({0, Part::q, 0}, 60);
  subject.goal_at_distance(0);
  MeasureContext context;
  context.layers = {0};
  const Measurement measurement = measure_components(subject, settings_of(0.1, 0), context);
  for (const GraphEdge& edge : measurement.edges) EXPECT_NE(edge.to, "0.q");
  const auto& diverged = measurement.details.at("diverged");
  EXPECT_EQ(diverged.size(), measurement.details.at("disturbed").size());
  EXPECT_EQ(diverged.at(0).at("group"), "0.attention_router by 0.q");
  EXPECT_EQ(measurement.notes.back().find("7 adaptations diverged and are left out: "), 0U) << measurement.notes.back();
}

}  // namespace
}  // namespace absorb
