// What the table and the report show of compensation results: edges, routers and curves over seeds. Surprising: a
// router whose share is undefined or whose dose isn't equal counts in no mean of what was recovered; it is named
// instead.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "studies/analysis/compensation/part_shares.h"
#include "studies/analysis/compensation/results.h"

namespace absorb {

/// For sorting: attention, moe, both; recovery before other measures. Unknown ones come last.
std::size_t place_of_target(const std::string& target);
std::size_t place_of_measure(const std::string& measure);

/// Measures that some edge has, in the order in which they are shown: recovery first.
std::vector<std::string> measures_of(const CompensationResults& results);
/// Targets that were measured: attention, moe, both.
std::vector<std::string> targets_of(const CompensationResults& results);

/// One edge over the seeds that have it.
struct MeanEdge {
  std::string from, to;
  Summary value;              // nats per token, or the measure's own unit
  double standard_error = 0;  // mean over seeds of the edge's own error; NaN where one is not known
};
/// By falling size of the mean, equal ones in the order of their appearance.
std::vector<MeanEdge> mean_edges(const CompensationResults& results, const std::string& measure,
                                 const std::string& target);
/// Every node of one measure and target, each once.
std::vector<GraphNode> nodes_of(const CompensationResults& results, const std::string& measure,
                                const std::string& target);

/// One router of one target over seeds, at the headline. Nats per token; `dose` is the share of the items.
struct RouterSummary {
  std::string target;
  Component router;
  Summary swap_cost, dose, dose_cost;  // over the seeds measured
  Summary module, rest, cross, all;    // over the seeds with an equal dose above its noise
  Summary share;                       // cross / all, over those of them whose v(all) is above its noise
  std::array<PartShare, 3> parts;      // each beside its size
  std::vector<std::string> undefined;  // "seed 2: why" for the seeds without a share
};
/// By target, kind and layer.
std::vector<RouterSummary> router_summaries(const CompensationResults& results);

/// Recovery at one number of steps or dimensions: over seeds, of each run's mean over the routers that have a share at
/// the headline. A run's share is the ratio of its means, where each of these routers has a share at this point too.
struct RecoveryPoint {
  int64_t at = 0;  // steps, or dimensions (0: all coordinates)
  Summary module, rest, cross, all, share;
  double damage = 0;  // where the curve is over the damage, whose points `at` doesn't tell apart
};
struct RecoveryCurve {
  std::string target;
  Part kind = Part::attention_router;
  std::vector<RecoveryPoint> over_steps;       // in the headline's dimension
  std::vector<RecoveryPoint> over_dimensions;  // after the last step; rising, all coordinates last
  std::vector<RecoveryPoint> over_damage;      // in the headline's dimension after the last step; rising
};
std::vector<RecoveryCurve> recovery_curves(const CompensationResults& results);

/// "attention", "moe", "both: attention routers": what a curve or a row is about.
std::string curve_label(const std::string& target, Part kind);

/// Digits of recovered nats: they are hundredths of a gap's.
inline constexpr int nats_digits = 5;
/// The evidence on the paper's claim as a sentence or two, without the verdict's word.
std::string claim_answer(const Attribution& attribution);

}  // namespace absorb
