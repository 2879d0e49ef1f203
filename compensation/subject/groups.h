// Sets of components that are measured as one: the groups around a disturbed router, and the parts of layers that are
// the nodes of every other measure.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "tensors/parameters.h"

namespace absorb {

/// A set of components. Names around a router: router, module, rest, embedding, block.<m>, final (disjoint); upstream,
/// downstream, cross, module+rest, module+cross, rest+cross, all (unions). Of parts: "1.q", "2.expert", "embedding".
struct Group {
  std::string name;
  std::vector<Component> components;  // sorted; empty where the subject has none (upstream of block 0)
  /// A union of players keeps each of them apart, so that every player adapts with a capacity of its own and one that
  /// does nothing adds nothing. Empty: the components are one part.
  std::vector<std::vector<Component>> parts = {};
  /// Not empty: the numbers of all parts are dealt out into random parts of the same sizes, and those at these places
  /// adapt.
  std::vector<std::size_t> chosen = {};
};

/// Bits of a coalition of the three players.
enum Player : unsigned { module_player = 1, rest_player = 2, cross_player = 4 };
/// The coalition of each bit pattern, by the name of its group; the first is empty.
inline constexpr std::array<const char*, 8> coalition_names = {"",      "module",       "rest",       "module+rest",
                                                               "cross", "module+cross", "rest+cross", "all"};

/// The groups of docs/science.md section 5 around `router` in block l. module: Q, K, V, O of l for an attention router,
/// the experts of l for an expert router. rest: everything else of block l but the router. upstream: blocks before l.
/// downstream: blocks after l and what follows them (final norm, an untied head). embedding: token and position tables.
/// cross = upstream + downstream; all = module + rest + cross, without router and embedding. Besides these, each other
/// block alone (block.<m>), and what follows the blocks (final).
std::vector<Group> recovery_groups(std::span<const Component> components, const Component& router);

/// The coalition of players (bits) in random partitions of all their numbers into parts of the players' sizes: what
/// size alone would give it. `all` is the group of that name; without components where those players have none.
Group dealt_coalition(const Group& all, unsigned coalition);

/// What adapts in a subspace of its own: the parts that have components.
std::vector<std::vector<Component>> adapting_parts(const Group& group);

/// Components of part attention_router or expert_router, in order.
std::vector<Component> router_components(std::span<const Component> components);

/// One group for each part of each layer, the experts of a layer together: what coupling, curvature, drift and the
/// component graph call a component. In the order of the components.
std::vector<Group> part_groups(std::span<const Component> components);

}  // namespace absorb
