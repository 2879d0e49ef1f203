#include "compensation/measures/recovery_measure.h"

#include <algorithm>

#include "compensation/graph/nodes.h"
#include "compensation/measures/adaptations.h"
#include "compensation/measures/router_recovery.h"

namespace absorb {
namespace {

bool is_node(const Group& group) {
  const std::string& name = group.name;
  return !group.components.empty() && (name == "router" || name == "module" || name == "rest" || name == "embedding" ||
                                       name == "final" || name.starts_with("block."));
}

/// What the numbers depend on.
std::string identity_of(const Subject& subject, const CompensationSettings& s, const MeasureContext& context) {
  Json all{{"measure", "recovery"},    {"format", 2},        {"subject", subject.identity()},
           {"layers", context.layers}, {"steps", s.steps},   {"dimensions", s.dimensions},
           {"draws", s.draws},         {"damage", s.damage}, {"sequences", {s.sequences, s.most_sequences}},
           {"precision", s.precision}};
  if (s.damage_doublings > 0) all["damage_doublings"] = s.damage_doublings;
  if (s.random_partitions > 0) all["random_partitions"] = s.random_partitions;
  return hash_hex(all.dump());
}

void add_edges(Measurement& measurement, const RecoveryResult& result, const CapacityResult& capacity,
               const std::string& measure) {
  const GraphNode from = node_of({"router", {result.router}});
  for (const Recovery& recovery : capacity.groups) {
    const Measured& measured = recovery.measured;
    if (!is_node(recovery.group) || measured.samples == 0) continue;
    measurement.edges.push_back({from.name, node_of(recovery.group).name, measured.value, measured.standard_error,
                                 measured.samples, measure, "", "", 0});
  }
}

void add_result(Measurement& measurement, const Subject& subject, const RecoveryResult& result) {
  const auto add_node = [&](const GraphNode& node) {
    const auto known = std::find_if(measurement.nodes.begin(), measurement.nodes.end(),
                                    [&](const GraphNode& other) { return other.name == node.name; });
    if (known == measurement.nodes.end()) measurement.nodes.push_back(node);
  };
  for (const Group& group : recovery_groups(subject.components(), result.router))
    if (is_node(group)) add_node(node_of(group));
  const CapacityResult& first = result.capacities.front();
  const bool equal = result.unmatched.empty() && first.dimension > 0;
  add_edges(measurement, result, first, equal ? "recovery" : "recovery_unmatched");
  for (auto other = result.capacities.begin() + 1; equal && other != result.capacities.end(); ++other)
    if (other->dimension == 0) add_edges(measurement, result, *other, "recovery_unmatched");
}

}  // namespace

Measurement measure_recovery(Subject& subject, const CompensationSettings& settings, const MeasureContext& context) {
  require_layers(subject, context.layers);
  require_sensible(settings);
  std::vector<Component> routers;
  int64_t pieces = 0;
  for (const Component& router : router_components(subject.components())) {
    const auto& layers = context.layers;
    if (!layers.empty() && std::find(layers.begin(), layers.end(), router.layer) == layers.end()) continue;
    routers.push_back(router);
    pieces += pieces_of_router(subject, settings, router);
  }
  Measurement measurement;
  measurement.measure = "recovery";
  measurement.identity = identity_of(subject, settings, context);
  measurement.details["results"] = Json::array();
  if (routers.empty()) measurement.notes.push_back("there is no router to disturb");
  Adaptations cells(subject, context.cache);
  WorkProgress progress(context, pieces);
  for (const Component& router : routers) {
    const RecoveryResult result = recover_router(cells, settings, progress, router, measurement.notes);
    add_result(measurement, subject, result);
    measurement.details["results"].push_back(json_of(result));
  }
  measurement.seconds = cells.seconds();
  return measurement;
}

std::vector<RecoveryResult> recovery_results(const Measurement& measurement) {
  std::vector<RecoveryResult> results;
  for (const Json& result : measurement.details.at("results")) results.push_back(recovery_result_from(result));
  return results;
}

void add_recovery(Measures& measures) {
  measures.add(
      {.edges = {{.name = "recovery",
                  .unit = "nats per token",
                  .role = MeasureRole::measures,
                  .title = "Recovery",
                  .reading =
                      "Each arrow begins at a router whose routing was disturbed and ends at the part that was then "
                      "allowed to adapt; its thickness is the loss that this part alone won back. The left edge of a "
                      "layer stands for all of that layer. An arrow from a router to itself is what the router "
                      "recovers of its own damage.",
                  .definition =
                      "The routing of one layer is replaced by a matched random draw for such a share of the items "
                      "that the disturbance costs the same everywhere (equal dose). Then one group S of components "
                      "adapts for n steps in a random subspace of m dimensions (equal capacity), everything else "
                      "frozen. v(S) = [L_swap - L_swap,S(n)] - [L_base - L_base,S(n)], the loss that S wins back "
                      "beyond what the same training gains without a disturbance. Module, rest of the layer and the "
                      "other layers (cross) also adapt together, in all seven combinations; their Shapley values are "
                      "what each adds on average over the orders of joining, and sum to v(all). Cross-layer share = "
                      "Shapley(cross) / v(all), undefined where v(all) lies within its noise."},
                 {.name = "recovery_unmatched",
                  .unit = "nats per token",
                  .role = MeasureRole::measures,
                  .title = "Recovery, unmatched",
                  .reading =
                      "As recovery, but not at equal terms: parts adapt with all their coordinates, or the disturbance "
                      "costs another amount than elsewhere. Large parts and costly swaps count for more.",
                  .definition =
                      "Recovery in all coordinates, or of a router for which no dose costs the wanted damage: not "
                      "matched in capacity, or not in dose. Never part of the attribution."}},
       .make = measure_recovery,
       .order = 6});
}

}  // namespace absorb
