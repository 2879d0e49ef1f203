#include "studies/analysis/compensation/summaries.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "statistics/power.h"
#include "studies/analysis/wording.h"

namespace absorb {
namespace {

constexpr std::array<const char*, 3> all_targets{"attention", "moe", "both"};

bool usable(const RecoveryResult& result) {
  return not_comparable(result).empty();
}

/// Why a result counts in no mean, or in none of shares.
std::string why_undefined(const RecoveryResult& result) {
  const std::string why = not_comparable(result);
  return why.empty() ? result.capacities.front().shares.back().undefined : why;
}

/// One number a seed for each quantity, with what can't be computed left out.
struct Collected {
  std::vector<double> module, rest, cross, all, share;

  void add(const std::vector<const CrossLayerShare*>& layers) {
    const MeanParts parts = mean_over_layers(layers);
    if (!std::isfinite(parts.all)) return;  // no layer, or every draw diverged
    module.push_back(parts.module);
    rest.push_back(parts.rest);
    cross.push_back(parts.cross);
    all.push_back(parts.all);
    if (parts.share) share.push_back(*parts.share);
  }
  RecoveryPoint at(int64_t place) const {
    return {place, summarize(module), summarize(rest), summarize(cross), summarize(all), summarize(share), 0};
  }
};

/// The runs of one target, each with its usable routers of one kind.
using UsableRouters = std::vector<std::vector<const RecoveryResult*>>;

UsableRouters usable_routers(const CompensationResults& results, const std::string& target, Part kind) {
  UsableRouters runs;
  for (const RunRecoveries& run : results.recoveries) {
    if (run.target != target) continue;
    runs.emplace_back();
    for (const RecoveryResult& result : run.results)
      if (result.router.part == kind && usable(result)) runs.back().push_back(&result);
  }
  return runs;
}

std::vector<RecoveryPoint> over_steps(const UsableRouters& runs) {
  std::set<int64_t> steps;
  for (const auto& run : runs)
    for (const RecoveryResult* result : run) steps.insert(result->steps.begin(), result->steps.end());
  std::vector<RecoveryPoint> points;
  for (int64_t step : steps) {
    Collected collected;
    for (const auto& run : runs) {
      std::vector<const CrossLayerShare*> layers;
      for (const RecoveryResult* result : run)
        for (std::size_t i = 0; i < result->steps.size(); ++i)
          if (result->steps[i] == step && i < result->capacities.front().shares.size())
            layers.push_back(&result->capacities.front().shares[i]);
      if (layers.size() == run.size()) collected.add(layers);
    }
    points.push_back(collected.at(step));
  }
  return points;
}

std::vector<RecoveryPoint> over_dimensions(const UsableRouters& runs) {
  std::vector<int64_t> dimensions;
  for (const auto& run : runs)
    for (const RecoveryResult* result : run)
      for (const CapacityResult& capacity : result->capacities) dimensions.push_back(capacity.dimension);
  const auto size = [](int64_t dimension) { return dimension == 0 ? std::numeric_limits<int64_t>::max() : dimension; };
  std::sort(dimensions.begin(), dimensions.end(), [&size](int64_t a, int64_t b) { return size(a) < size(b); });
  dimensions.erase(std::unique(dimensions.begin(), dimensions.end()), dimensions.end());
  std::vector<RecoveryPoint> points;
  for (int64_t dimension : dimensions) {
    Collected collected;
    for (const auto& run : runs) {
      std::vector<const CrossLayerShare*> layers;
      for (const RecoveryResult* result : run)
        for (const CapacityResult& capacity : result->capacities)
          if (capacity.dimension == dimension && !capacity.shares.empty()) layers.push_back(&capacity.shares.back());
      if (layers.size() == run.size()) collected.add(layers);
    }
    points.push_back(collected.at(dimension));
  }
  return points;
}

std::vector<RecoveryPoint> over_damage(const UsableRouters& runs) {
  std::set<double> damages;
  for (const auto& run : runs)
    for (const RecoveryResult* result : run) {
      damages.insert(result->damage);
      for (const DosePoint& point : result->doses) damages.insert(point.damage);
    }
  std::vector<RecoveryPoint> points;
  for (double damage : damages) {
    Collected collected;
    for (const auto& run : runs) {
      std::vector<const CrossLayerShare*> layers;
      for (const RecoveryResult* result : run) {
        if (result->damage == damage) layers.push_back(&result->capacities.front().shares.back());
        for (const DosePoint& point : result->doses)
          if (point.damage == damage && point.unmatched.empty()) layers.push_back(&point.share);
      }
      if (layers.size() == run.size()) collected.add(layers);
    }
    points.push_back(collected.at(0));
    points.back().damage = damage;
  }
  return points;
}

/// One router's results by seed.
struct OfRouter {
  std::string target;
  std::vector<std::pair<int64_t, const RecoveryResult*>> seeds;
};

RouterSummary summary_of(const OfRouter& router) {
  RouterSummary summary;
  summary.target = router.target;
  summary.router = router.seeds.front().second->router;
  std::vector<double> swap_costs, doses, dose_costs;
  Collected collected;
  for (const auto& [seed, result] : router.seeds) {
    swap_costs.push_back(result->swap_cost.value);
    doses.push_back(result->dose);
    dose_costs.push_back(result->dose_cost.value);
    if (usable(*result)) collected.add({&result->capacities.front().shares.back()});
    if (const std::string why = why_undefined(*result); !why.empty())
      summary.undefined.push_back(fmt::format("seed {}: {}", seed, why));
  }
  summary.swap_cost = summarize(swap_costs);
  summary.dose = summarize(doses);
  summary.dose_cost = summarize(dose_costs);
  const RecoveryPoint point = collected.at(0);
  std::tie(summary.module, summary.rest, summary.cross) = std::tie(point.module, point.rest, point.cross);
  std::tie(summary.all, summary.share) = std::tie(point.all, point.share);
  std::vector<const RecoveryResult*> seeds;
  for (const auto& [seed, result] : router.seeds) seeds.push_back(result);
  summary.parts = part_shares(seeds);
  return summary;
}

}  // namespace

std::size_t place_of_target(const std::string& target) {
  return static_cast<std::size_t>(std::find(all_targets.begin(), all_targets.end(), target) - all_targets.begin());
}

std::size_t place_of_measure(const std::string& measure) {
  const std::vector<std::string> known = edge_names();
  return static_cast<std::size_t>(std::find(known.begin(), known.end(), measure) - known.begin());
}

std::vector<std::string> measures_of(const CompensationResults& results) {
  std::vector<std::string> measures;
  for (const Measurement& measurement : results.measurements)
    for (const GraphEdge& edge : measurement.edges)
      if (std::find(measures.begin(), measures.end(), edge.measure) == measures.end()) measures.push_back(edge.measure);
  std::stable_sort(measures.begin(), measures.end(), [](const std::string& a, const std::string& b) {
    return place_of_measure(a) < place_of_measure(b);
  });
  return measures;
}

std::vector<std::string> targets_of(const CompensationResults& results) {
  std::vector<std::string> targets;
  for (const char* target : all_targets)
    if (std::any_of(results.measurements.begin(), results.measurements.end(),
                    [target](const Measurement& m) { return m.target == target; }))
      targets.emplace_back(target);
  return targets;
}

std::vector<MeanEdge> mean_edges(const CompensationResults& results, const std::string& measure,
                                 const std::string& target) {
  std::vector<std::pair<std::string, std::string>> order;
  std::map<std::pair<std::string, std::string>, std::pair<std::vector<double>, std::vector<double>>> found;
  for (const Measurement& measurement : results.measurements) {
    if (measurement.target != target) continue;
    for (const GraphEdge& edge : measurement.edges) {
      if (edge.measure != measure) continue;
      auto& [values, errors] = found[{edge.from, edge.to}];
      if (values.empty()) order.emplace_back(edge.from, edge.to);
      values.push_back(edge.value);
      errors.push_back(edge.standard_error);
    }
  }
  std::vector<MeanEdge> edges;
  for (const auto& ends : order) {
    const auto& [values, errors] = found[ends];
    edges.push_back({ends.first, ends.second, summarize(values), summarize(errors).mean});
  }
  std::stable_sort(edges.begin(), edges.end(), [](const MeanEdge& a, const MeanEdge& b) {
    return std::abs(a.value.mean) > std::abs(b.value.mean);
  });
  return edges;
}

std::vector<GraphNode> nodes_of(const CompensationResults& results, const std::string& measure,
                                const std::string& target) {
  std::vector<GraphNode> nodes;
  for (const Measurement& measurement : results.measurements) {
    const bool has = std::any_of(measurement.edges.begin(), measurement.edges.end(),
                                 [&measure](const GraphEdge& edge) { return edge.measure == measure; });
    if (measurement.target != target || !has) continue;
    for (const GraphNode& node : measurement.nodes)
      if (std::none_of(nodes.begin(), nodes.end(), [&node](const GraphNode& known) { return known.name == node.name; }))
        nodes.push_back(node);
  }
  return nodes;
}

std::vector<RouterSummary> router_summaries(const CompensationResults& results) {
  // By target, kind and layer.
  std::map<std::tuple<std::size_t, Part, int64_t>, OfRouter> routers;
  for (const RunRecoveries& run : results.recoveries)
    for (const RecoveryResult& result : run.results) {
      OfRouter& router = routers[{place_of_target(run.target), result.router.part, result.router.layer}];
      router.target = run.target;
      router.seeds.emplace_back(run.seed, &result);
    }
  std::vector<RouterSummary> summaries;
  for (const auto& [key, router] : routers) summaries.push_back(summary_of(router));
  return summaries;
}

std::vector<RecoveryCurve> recovery_curves(const CompensationResults& results) {
  std::vector<RecoveryCurve> curves;
  for (const std::string& target : targets_of(results))
    for (Part kind : {Part::attention_router, Part::expert_router}) {
      const UsableRouters runs = usable_routers(results, target, kind);
      RecoveryCurve curve{target, kind, over_steps(runs), over_dimensions(runs), over_damage(runs)};
      if (!curve.over_steps.empty()) curves.push_back(std::move(curve));
    }
  return curves;
}

std::string curve_label(const std::string& target, Part kind) {
  if (target != "both") return target;
  return kind == Part::attention_router ? "both: attention" : "both: experts";
}

std::string claim_answer(const Attribution& attribution) {
  const AttributionRow& cross = attribution.rows.front();
  std::string out = fmt::format(
      "What other layers recover for an attention router, less what they recover for an expert router ({}; equal dose "
      "of {:g} nats, {}, {} steps): ",
      attribution.between == "within both" ? "within target both" : "between the twins", attribution.damage,
      attribution.dimension == 0 ? "all coordinates" : fmt::format("{} dimensions", attribution.dimension),
      attribution.steps);
  if (!std::isfinite(cross.mean)) return out + "no seed can be compared.";
  out += fmt::format("{} nats per token ({}n = {}).", signed_number(cross.mean, nats_digits),
                     cross.ci95 ? fmt::format("95 % interval {}, ", from_to(*cross.ci95, nats_digits)) : "",
                     cross.seeds.size());
  const bool decided = attribution.verdict == "supported" || attribution.verdict == "contradicted";
  if (decided) return out;
  if (!std::isfinite(cross.sd)) return out + " How many seeds would decide it takes two seeds to tell.";
  return out + (attribution.deciding_seeds
                    ? fmt::format(" A difference of that size would be found with 80 % power by {} seeds.",
                                  *attribution.deciding_seeds)
                    : fmt::format(" No number of seeds up to {} would decide a difference of that size.", most_seeds));
}

}  // namespace absorb
