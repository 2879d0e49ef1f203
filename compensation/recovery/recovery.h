// Recovery, the headline measure: after the routing of one layer has been disturbed, how much of the damage can each
// part of the network make up for? At equal dose (every disturbance costs the same before adaptation) and equal
// capacity (every group adapts in a random subspace of the same dimension). This file holds the results and what is
// arithmetic in them; recovery_measure.h runs a subject. docs/science.md section 5, item 1.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compensation/subject/groups.h"
#include "core/settings.h"

namespace absorb {

/// A mean in nats per token. NaN where there is nothing to take it from; the error also where one sample has no spread.
struct Measured {
  double value = 0;
  double standard_error = 0;
  int64_t samples = 0;  // draws x held-out sequences
};

/// One row of per-sequence values for each draw.
using DrawRows = std::vector<std::vector<double>>;

/// Mean over draws and sequences; the error treats both as random and crossed (statistics/documents.h). One draw: over
/// sequences alone, so that nothing is said about other draws.
Measured mean_of(const DrawRows& rows);

/// The noise that a value has to exceed: this many standard errors. With two draws a 95 % t interval can be six times
/// as wide as this, so take shares from few draws as a description and let seeds decide.
constexpr double noise_errors = 2;
/// False also where the error is not known.
bool above_noise(const Measured& measured);
/// The same on either side of 0.
bool beyond_noise(const Measured& measured);
/// "the swap costs 0.001200 nats, within its noise (2 standard errors = 0.003000)", for `what` = "the swap costs".
std::string within_noise(const std::string& what, const Measured& measured);

/// `value` [8] by coalition bits, value[0] = 0. Returns the Shapley values of module, rest and cross, whose sum is
/// value[7]. A player that adds exactly 0 to every coalition gets exactly 0.
std::array<double, 3> shapley(const std::array<double, 8>& value);

/// v_l(S) of one group, in nats per token.
struct Recovery {
  Group group;
  Measured measured;            // over the draws that did not diverge; of no samples if all did
  std::vector<double> by_draw;  // [draws], mean over sequences; NaN for a diverged one
};

/// X_l = Shapley value of cross / v_l(all).
struct CrossLayerShare {
  Measured all, module, rest, cross;  // over the draws in which none of the seven coalitions diverged
  std::optional<double> share;        // no value: `undefined` says why, with the figure
  std::string undefined;
};

/// What was recovered in subspaces of one dimension.
struct CapacityResult {
  int64_t dimension = 0;                // 0: all coordinates (groups aren't matched in capacity)
  std::vector<Recovery> groups;         // after the last of `steps`: for the first dimension every group, for others
                                        // the seven coalitions
  std::vector<CrossLayerShare> shares;  // [steps], the curve over n
  /// [steps] The same of random partitions of the players' numbers into parts of their sizes; over draws x partitions.
  /// Empty where none were asked for, and at all dimensions but the first.
  std::vector<CrossLayerShare> size_matched = {};
};

/// The headline's shares where every disturbance costs another damage.
struct DosePoint {
  double damage = 0, dose = 0;
  Measured cost;  // what the disturbance at that dose costs
  std::string
      unmatched;  // why there is no such dose, with the figure; then nothing adapted, and the share is undefined
  CrossLayerShare share;  // in the first dimension after the last of the steps
};

/// An adaptation that was left out.
struct Diverged {
  std::string group;  // "swap": the disturbed model itself has no finite loss
  int64_t dimension = 0;
  std::optional<int64_t> draw;  // absent: of every draw
};

struct RecoveryResult {
  Component router;            // what was disturbed
  std::vector<int64_t> steps;  // n of the curve, rising
  int64_t draws = 0, sequences = 0, tokens = 0;
  std::array<int64_t, 3> numbers{};        // of module, rest and cross; 0 in what was measured before they were kept
  double base_loss = 0;                    // nats per token, before disturbance and adaptation
  Measured swap_cost;                      // of the whole swap (dose 1), without adaptation
  double damage = 0;                       // what every disturbance ought to cost; 0: whole swaps
  double dose = 1;                         // the share of the items that costs it
  Measured dose_cost;                      // what the disturbance at that dose costs
  std::string unmatched;                   // why the dose isn't equal, with the figure; empty when it is
  std::vector<CapacityResult> capacities;  // [dimensions], the headline first
  std::vector<DosePoint> doses = {};       // the curve over the dose, without the headline's; rising
  std::vector<Diverged> diverged;          // named, left out of every mean, counted by their number
};

/// Why the Shapley parts at a result's headline can't stand beside another's, in nats; empty where they can. A v_l(all)
/// within its noise is a value like any other here (only its share is undefined): to leave it out would keep what came
/// out large.
std::string not_comparable(const RecoveryResult& result);

/// Means over layers, nats per token; NaN of no layer.
struct MeanParts {
  double module = 0, rest = 0, cross = 0, all = 0;
  /// Their ratio cross / all: a mean of shares would be ruled by the layers that recover least, whose shares are the
  /// noisiest. Absent where `all` is within its noise; layers are measured apart, so that their errors add in squares.
  std::optional<double> share;
};
MeanParts mean_over_layers(std::span<const CrossLayerShare* const> layers);

Json json_of(const RecoveryResult& result);
/// The inverse of json_of; throws nlohmann's exceptions on anything else.
RecoveryResult recovery_result_from(const Json& json);

/// One measurement of a group: rows[draw] is absent where an adaptation diverged.
struct GroupRows {
  Group group;
  std::vector<std::optional<std::vector<double>>> rows;  // [draws][sequences]
};

Recovery recovery_of(const GroupRows& group);
/// `groups` must hold the seven coalitions that recovery_groups() makes, `damage` what the disturbance costs without
/// adaptation. Undefined where that or v_l(all) is within its noise.
CrossLayerShare cross_layer_share(std::span<const GroupRows> groups, const Measured& damage);

}  // namespace absorb
