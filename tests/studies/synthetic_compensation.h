// Compensation of a study that was never trained: recoveries and graphs made of arithmetic, for the tests of the table
// and the page. Made as the structs that the table and the page read, not through files.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "core/numbers.h"
#include "studies/analysis/compensation/results.h"
#include "tests/studies/synthetic_deployments.h"

namespace absorb::synthetic {

inline constexpr int64_t seeds_measured = 5;
inline constexpr double undefined_number = nan;

/// What one router recovers at the headline.
struct Recovered {
  double module = 0, rest = 0, cross = 0;
  double all() const { return module + rest + cross; }
};

/// Routers of attention are helped by other layers more than experts are: by 4 to 5 thousandths of a nat.
inline Recovered recovered(Part kind, int64_t layer, double noise) {
  const double depth = 1 + 0.15 * static_cast<double>(layer);
  if (kind == Part::attention_router) return {0.0042 * depth + noise, 0.0021 + noise / 2, 0.0065 * depth - noise};
  return {0.0061 * depth - noise, 0.0018, 0.0019 * depth + noise};
}

inline Measured measured(double value) {
  return {value, 0.02 * std::abs(value) + 1e-5, 512};
}

inline CrossLayerShare share_of(const Recovered& parts, double size) {
  return {measured(size * parts.all()), measured(size * parts.module), measured(size * parts.rest),
          measured(size * parts.cross), parts.cross / parts.all(),     ""};
}

/// Grows with the steps and with the dimension, which changes the share a little.
inline RecoveryResult recovery(Part kind, int64_t layer, double noise) {
  RecoveryResult result;
  result.router = {layer, kind, 0};
  result.steps = {5, 10, 20};
  result.draws = 4;
  result.sequences = 128;
  result.tokens = 128 * 128;
  result.base_loss = 1.5;
  result.swap_cost =
      measured((kind == Part::attention_router ? 0.31 : 0.42) / (1 + static_cast<double>(layer)) + noise);
  result.damage = 0.02;
  result.dose = 0.02 / result.swap_cost.value;
  result.dose_cost = measured(0.0201 + noise / 10);
  const Recovered parts = recovered(kind, layer, noise);
  result.numbers = kind == Part::attention_router ? std::array<int64_t, 3>{100, 200, 700} : std::array{600L, 50L, 350L};
  for (double damage : {0.04, 0.08}) {
    const CrossLayerShare share = share_of(parts, 25 * damage);
    const bool reached = kind == Part::attention_router || damage < 0.05;
    result.doses.push_back({damage, damage / 0.3, measured(damage), reached ? "" : "the whole swap costs less", share});
  }
  for (int64_t dimension : {256, 64, 0}) {
    CapacityResult capacity{dimension, {}, {}};
    const double free = dimension == 0 ? 1.3 : dimension == 64 ? 0.6 : 1;
    Recovered bent = parts;
    if (dimension == 0) bent.cross *= 1.2;
    for (int64_t step : result.steps)
      capacity.shares.push_back(share_of(bent, free * (1 - std::exp(-static_cast<double>(step) / 9))));
    if (dimension == 256)
      for (std::size_t n = 0; n < result.steps.size(); ++n)
        capacity.size_matched.push_back(share_of({parts.all() / 4, parts.all() / 4, parts.all() / 2}, 0.8));
    result.capacities.push_back(std::move(capacity));
  }
  return result;
}

inline std::vector<Part> kinds_of(const std::string& target) {
  if (target == "attention") return {Part::attention_router};
  if (target == "moe") return {Part::expert_router};
  return {Part::attention_router, Part::expert_router};
}

inline GraphNode node(int64_t layer, const std::string& part) {
  return {(layer < 0 ? "" : std::to_string(layer) + ".") + part, layer, part};
}

inline void add_edge(Measurement& measurement, const GraphNode& from, const GraphNode& to, double value) {
  for (const GraphNode& each : {from, to})
    if (std::none_of(measurement.nodes.begin(), measurement.nodes.end(),
                     [&each](const GraphNode& known) { return known.name == each.name; }))
      measurement.nodes.push_back(each);
  measurement.edges.push_back({from.name, to.name, value, 0.05 * std::abs(value), 512, measurement.measure,
                               measurement.arm, measurement.target, measurement.seed});
}

inline Measurement measurement(const std::string& measure, const std::string& target, int64_t seed) {
  Measurement out;
  out.measure = measure;
  out.arm = "learned";
  out.target = target;
  out.seed = seed;
  out.seconds = 12.5;
  return out;
}

/// The names that recovery gives the module and the rest around a router.
inline std::pair<std::string, std::string> around(const std::string& target, Part kind) {
  if (target == "attention") return {"q+k+v+o", "feed_forward+norm"};
  if (target == "moe") return {"expert", "q+k+v+o+norm"};
  if (kind == Part::attention_router) return {"q+k+v+o", "expert_router+expert+norm"};
  return {"expert", "attention_router+q+k+v+o+norm"};
}

inline Measurement recovery_measurement(const std::string& target, int64_t seed, int64_t layers) {
  Measurement out = measurement("recovery", target, seed);
  for (Part kind : kinds_of(target))
    for (int64_t layer = 0; layer < layers; ++layer) {
      const double noise =
          0.0004 * wave(static_cast<double>(seed * 31 + layer) + (kind == Part::expert_router ? 7 : 0));
      const Recovered parts = recovered(kind, layer, noise);
      const GraphNode from = node(layer, std::string(to_string(kind)));
      const auto [module, rest] = around(target, kind);
      add_edge(out, from, from, 0.7 * parts.all());
      add_edge(out, from, node(layer, module), 1.2 * parts.module);
      add_edge(out, from, node(layer, rest), 1.1 * parts.rest);
      for (int64_t other = 0; other < layers; ++other)
        if (other != layer)
          add_edge(out, from, node(other, "block"),
                   parts.cross / (1 + std::abs(static_cast<double>(other - layer))) - 0.0006);
      add_edge(out, from, node(-1, "embedding"), 0.002 - 0.0004 * static_cast<double>(layer));
      add_edge(out, from, node(-1, "norm"), 0.0003 + 2 * noise);
    }
  if (seed == 2) out.notes.emplace_back("1 of 320 adaptations diverged and was left out");
  return out;
}

inline std::vector<GraphNode> part_nodes(const std::string& target, int64_t layers) {
  std::vector<GraphNode> nodes{node(-1, "embedding")};
  for (int64_t layer = 0; layer < layers; ++layer) {
    if (target != "moe") nodes.push_back(node(layer, "attention_router"));
    for (const char* part : {"q", "k", "v", "o"}) nodes.push_back(node(layer, part));
    if (target != "attention") nodes.push_back(node(layer, "expert_router"));
    nodes.push_back(node(layer, target == "attention" ? "feed_forward" : "expert"));
    nodes.push_back(node(layer, "norm"));
  }
  nodes.push_back(node(-1, "norm"));
  return nodes;
}

/// Every pair of parts; the nearer the layers, the stronger, and a few pairs far stronger than the others.
inline Measurement parts_measurement(const std::string& measure, const std::string& target, int64_t seed,
                                     int64_t layers, bool directed, double size) {
  Measurement out = measurement(measure, target, seed);
  const std::vector<GraphNode> nodes = part_nodes(target, layers);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (std::size_t j = directed ? 0 : i + 1; j < nodes.size(); ++j) {
      if (i == j) continue;
      const double apart = std::abs(static_cast<double>(nodes[i].layer - nodes[j].layer));
      const double own = std::pow(std::abs(wave(static_cast<double>(7 * i + 3 * j))), 6);
      const double value = size * own * std::exp(-0.7 * apart) *
                           (1 + 0.2 * wave(static_cast<double>(seed + 13 * static_cast<int64_t>(i + j))));
      add_edge(out, nodes[i], nodes[j], value);
    }
  out.details = {{"permutations", 200}, {"sketch", 4096}};
  return out;
}

inline Measurement drift_measurement(const std::string& target, int64_t seed, int64_t layers) {
  Measurement out = measurement("drift", target, seed);
  double number = 0;
  for (const GraphNode& each : part_nodes(target, layers))
    add_edge(out, each, each, 1.4 + 0.3 * wave(number += 1) + 0.1 * wave(static_cast<double>(31 * seed)));
  return out;
}

inline std::vector<QueryResult> queries() {
  QueryResult agreement;
  agreement.name = "agreement";
  agreement.question = "Do predicted edges rank as measured ones do?";
  agreement.arm = "learned";
  agreement.target = "attention";
  agreement.measure = "coupling against components";
  agreement.seeds = {1, 2, 3, 4, 5};
  agreement.draws = 200;
  agreement.columns = {{"rank correlation", "1"}, {"pairs", ""}};
  agreement.rows = {
      {"all pairs",
       {{0.61, 0.05, Interval{0.47, 0.75}, 0.004, 0.005},
        {190, undefined_number, {}, undefined_number, undefined_number}}},
      {"between layers",
       {{0.22, 0.08, {}, -0.002, 0.03}, {150, undefined_number, {}, undefined_number, undefined_number}}}};
  QueryResult hubs = agreement;
  hubs.name = "hubs";
  hubs.question = "Which parts make up for most?";
  hubs.exploratory = true;
  hubs.measure = "components";
  hubs.columns = {{"out-strength", "nats per token"}};
  hubs.rows = {{"1.attention_router", {{0.031, 0.002, Interval{0.025, 0.037}, 0.02, 0.01}}}};
  hubs.notes = {"3 nodes have no edge above 0"};
  return {agreement, hubs};
}

/// Arm learned, targets attention, moe and both, five seeds. Layer 1 of seed 3's experts has no share.
inline CompensationResults compensation(int64_t layers = 3, int64_t seeds = seeds_measured) {
  CompensationResults results;
  results.arm = "learned";
  for (const std::string target : {"attention", "moe", "both"})
    for (int64_t seed = 1; seed <= seeds; ++seed) {
      results.measurements.push_back(recovery_measurement(target, seed, layers));
      results.measurements.push_back(parts_measurement("components", target, seed, layers, true, 0.011));
      results.measurements.push_back(parts_measurement("coupling", target, seed, layers, false, 0.4));
      results.measurements.push_back(drift_measurement(target, seed, layers));
      RunRecoveries run{target, seed, {}};
      for (Part kind : kinds_of(target))
        for (int64_t layer = 0; layer < layers; ++layer) {
          const double shift = (kind == Part::expert_router ? 7 : 0) + (target == "both" ? 50 : 0);
          run.results.push_back(recovery(kind, layer, 0.0012 * wave(static_cast<double>(seed * 31 + layer) + shift)));
        }
      if (target == "moe" && seed == 3 && layers > 1) {
        CrossLayerShare& share = run.results[1].capacities.front().shares.back();
        run.results[1].dose_cost = {0.0001, 0.001, 512};
        share.share.reset();
        share.undefined = "the disturbance costs 0.000100 nats, within its noise";
      }
      results.recoveries.push_back(std::move(run));
    }
  results.attributions = attribute(results.recoveries);
  results.queries = queries();
  return results;
}

}  // namespace absorb::synthetic
