// Recovery, the headline measure: after the routing of one layer has been replaced by a random draw, how much of the
// damage can each part of the network make up for? This file holds what is arithmetic in it (groups of components,
// means with their errors, Shapley values); measure.h runs a subject. In this form groups are matched neither in
// capacity nor in dose: a group may win by size, and two routers may be disturbed by different amounts. Everything
// that is written says `unmatched`.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/parameters.h"

namespace absorb {

/// A set of components that adapts together. Names: router, module, rest, embedding, block.<m>, final (disjoint);
/// upstream, downstream, cross, module+rest, module+cross, rest+cross, all (unions).
struct Group {
  std::string name;
  std::vector<Component> components;  // sorted; empty where the subject has none (upstream of block 0)
};

/// The groups of docs/science.md section 5 around `router` in block l. module: Q, K, V, O of l for an attention router,
/// the experts of l for an expert router. rest: everything else of block l but the router. upstream: blocks before l.
/// downstream: blocks after l and what follows them (final norm, an untied head). embedding: token and position tables.
/// cross = upstream + downstream; all = module + rest + cross, without router and embedding. Besides these, each other
/// block alone (block.<m>), and what follows the blocks (final).
std::vector<Group> recovery_groups(std::span<const Component> components, const Component& router);

/// Components of part attention_router or expert_router, in order.
std::vector<Component> router_components(std::span<const Component> components);

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

/// Bits of a coalition of the three players.
enum Player : unsigned { module_player = 1, rest_player = 2, cross_player = 4 };

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

/// One measurement of a group: rows[draw] is absent where an adaptation diverged.
struct GroupRows {
  Group group;
  std::vector<std::optional<std::vector<double>>> rows;  // [draws][sequences]
};

Recovery recovery_of(const GroupRows& group);
/// `groups` must hold those that recovery_groups() makes, `swap_cost` what the swap costs without adaptation.
CrossLayerShare cross_layer_share(std::span<const GroupRows> groups, const Measured& swap_cost);

}  // namespace absorb
