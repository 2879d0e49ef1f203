#include "compensation/measures/recovery_measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compensation/graph/nodes.h"
#include "compensation/measures/adaptations.h"
#include "compensation/recovery/dose.h"
#include "compensation/recovery/sampling.h"
#include "core/error.h"
#include "core/numbers.h"

namespace absorb {
namespace {

bool is_coalition(const Group& group) {
  return std::find(coalition_names.begin(), coalition_names.end(), group.name) != coalition_names.end();
}

bool is_node(const Group& group) {
  const std::string& name = group.name;
  return !group.components.empty() && (name == "router" || name == "module" || name == "rest" || name == "embedding" ||
                                       name == "final" || name.starts_with("block."));
}

/// Rounded down to two digits, so that what costs `damage` can be asked for it.
double below(double damage) {
  const double unit = std::pow(10.0, std::floor(std::log10(damage)) - 1);
  return std::floor(damage / unit) * unit;
}

/// The groups that adapt in one dimension.
std::vector<Group> groups_at(const std::vector<Group>& groups, bool first) {
  std::vector<Group> result;
  std::copy_if(groups.begin(), groups.end(), std::back_inserter(result),
               [&](const Group& group) { return first || is_coalition(group); });
  return result;
}

/// One router: its sample, its dose, and what every group makes up for.
class RouterRecovery {
 public:
  RouterRecovery(Adaptations& cells, const CompensationSettings& settings, WorkProgress& progress,
                 const Component& router)
      : cells_(cells), settings_(settings), progress_(progress), groups_(groups_of(cells.subject(), router)) {
    result_.router = router;
    result_.steps = settings.steps;
    result_.draws = settings.draws;
    result_.damage = settings.damage;
  }

  /// Of WorkProgress.
  static int64_t pieces(const Subject& subject, const CompensationSettings& settings, const Component& router) {
    const std::vector<Group> groups = groups_of(subject, router);
    auto total = static_cast<int64_t>(groups.size());
    for (std::size_t d = 1; d < settings.dimensions.size(); ++d) total += 7;
    return 2 + total * settings.draws;
  }

  RecoveryResult run() {
    measure_swap();
    if (!above_noise(result_.swap_cost)) {
      leave_undefined();
      return result_;
    }
    match_dose();
    for (std::size_t d = 0; d < settings_.dimensions.size(); ++d)
      result_.capacities.push_back(at_dimension(settings_.dimensions[d], d == 0));
    if (!result_.diverged.empty()) note(describe(result_.diverged));
    return result_;
  }

  const std::vector<std::string>& notes() const { return notes_; }

 private:
  static std::vector<Group> groups_of(const Subject& subject, const Component& router) {
    return recovery_groups(subject.components(), router);
  }

  void note(const std::string& what) { notes_.push_back(fmt::format("{}: {}", to_string(result_.router), what)); }
  void before(const std::string& what) { progress_.next(fmt::format("{} {}", to_string(result_.router), what)); }
  DrawnDisturbance disturbance(double dose) const { return {{result_.router}, dose, settings_.draws}; }

  DrawRows swap_rows(int64_t sequences) {
    before(fmt::format("swap: {} sequences", sequences));
    cells_.read(sequences);
    return present(cells_.damages(disturbance(1)));
  }

  void measure_swap() {
    const int64_t most = std::min(settings_.most_sequences, cells_.subject().held_out());
    int64_t sequences = std::min(settings_.sequences, cells_.subject().held_out());
    DrawRows rows = swap_rows(sequences);
    while (relative_error(mean_of(rows)) > settings_.precision && 2 * sequences <= most) {
      DrawRows more = swap_rows(2 * sequences);
      if (!(relative_error(mean_of(more)) < 0.9 * relative_error(mean_of(rows)))) break;
      sequences *= 2;
      rows = std::move(more);
    }
    cells_.read(sequences);
    result_.sequences = sequences;
    result_.tokens = sequences * cells_.subject().tokens_per_sequence();
    result_.base_loss = mean_of({*cells_.losses({})}).value;
    result_.swap_cost = result_.dose_cost = mean_of(rows);
    const std::string more = more_needed(rows, result_.swap_cost, settings_.precision);
    if (!more.empty()) note("the swap's cost has " + more);
    progress_.done();
  }

  void leave_undefined() {
    const Measured nothing{nan, nan, 0};
    const std::string why = result_.swap_cost.samples == 0 ? "the swap has no finite loss in any draw"
                                                           : within_noise("the swap costs", result_.swap_cost);
    const CrossLayerShare share{nothing, nothing, nothing, nothing, std::nullopt, why};
    for (int64_t dimension : settings_.dimensions)
      result_.capacities.push_back({dimension, {}, {settings_.steps.size(), share}});
    result_.unmatched = why;
    note(why + ": recovery is undefined");
    progress_.done(pieces(cells_.subject(), settings_, result_.router) - 1);
  }

  void match_dose() {
    const double whole = mean_damage(cells_.damages(disturbance(1)));
    if (settings_.damage <= 0) {
      result_.unmatched = fmt::format("compensation.damage is 0, so that the router is swapped whole, at {:.6f} nats",
                                      result_.swap_cost.value);
    } else if (whole < settings_.damage) {
      result_.unmatched = fmt::format(
          "the whole swap costs {:.6f} nats, less than the {:g} that every disturbance ought to cost; "
          "compensation.damage = {:g} would fit",
          whole, settings_.damage, below(whole));
      note(result_.unmatched);
    } else {
      search_dose(whole);
    }
    const auto rows = cells_.damages(disturbance(result_.dose));
    for (std::size_t draw = 0; draw < rows.size(); ++draw)
      if (!rows[draw]) result_.diverged.push_back({"swap", 0, static_cast<int64_t>(draw)});
    result_.dose_cost = mean_of(present(rows));
    progress_.done();
  }

  void search_dose(double whole) {
    const auto damage = [this](double dose) {
      before(fmt::format("dose {:.4f}", dose));
      return mean_damage(cells_.damages(disturbance(dose)));
    };
    const Dose found = find_dose(damage, {settings_.damage, 1, whole});
    result_.dose = found.dose;
    if (found.reached) return;
    result_.unmatched = fmt::format("the nearest dose to a damage of {:g} nats, {:.4f}, costs {:.6f}", settings_.damage,
                                    found.dose, found.damage);
    note(result_.unmatched);
  }

  CapacityResult at_dimension(int64_t dimension, bool first) {
    CapacityResult capacity{dimension, {}, {}};
    std::vector<std::vector<GroupRows>> by_step(settings_.steps.size());
    for (const Group& group : groups_at(groups_, first)) {
      int64_t left = settings_.draws;  // a group that diverges without a disturbance stops at the first
      const auto before_draw = [&](int64_t draw) {
        before(fmt::format("dimension {} draw {}: {}", dimension, draw, group.name));
        progress_.done();
        --left;
      };
      GroupCurves curves =
          curves_of(cells_, group, disturbance(result_.dose), {dimension, settings_.steps}, before_draw);
      progress_.done(left);
      capacity.groups.push_back(recovery_of(curves.by_step.back()));
      for (std::size_t n = 0; n < by_step.size(); ++n) by_step[n].push_back(std::move(curves.by_step[n]));
      result_.diverged.insert(result_.diverged.end(), curves.diverged.begin(), curves.diverged.end());
    }
    for (const auto& rows : by_step) capacity.shares.push_back(cross_layer_share(rows, result_.dose_cost));
    return capacity;
  }

  Adaptations& cells_;
  const CompensationSettings& settings_;
  WorkProgress& progress_;
  std::vector<Group> groups_;
  RecoveryResult result_;
  std::vector<std::string> notes_;
};

/// What the numbers depend on.
std::string identity_of(const Subject& subject, const CompensationSettings& s, const MeasureContext& context) {
  const Json all{{"measure", "recovery"},    {"format", 2},        {"subject", subject.identity()},
                 {"layers", context.layers}, {"steps", s.steps},   {"dimensions", s.dimensions},
                 {"draws", s.draws},         {"damage", s.damage}, {"sequences", {s.sequences, s.most_sequences}},
                 {"precision", s.precision}};
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
    pieces += RouterRecovery::pieces(subject, settings, router);
  }
  Measurement measurement;
  measurement.measure = "recovery";
  measurement.identity = identity_of(subject, settings, context);
  measurement.details["results"] = Json::array();
  if (routers.empty()) measurement.notes.push_back("there is no router to disturb");
  Adaptations cells(subject, context.cache);
  WorkProgress progress(context, pieces);
  for (const Component& router : routers) {
    RouterRecovery recovery(cells, settings, progress, router);
    const RecoveryResult result = recovery.run();
    add_result(measurement, subject, result);
    measurement.notes.insert(measurement.notes.end(), recovery.notes().begin(), recovery.notes().end());
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
