#include "compensation/recovery.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "core/error.h"
#include "statistics/documents.h"
#include "statistics/summary.h"

namespace absorb {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
/// The coalition of each bit pattern, by the name of its group.
constexpr std::array<const char*, 8> coalitions = {"",      "module",       "rest",       "module+rest",
                                                   "cross", "module+cross", "rest+cross", "all"};

bool in_module(const Component& component, const Component& router) {
  if (component.layer != router.layer) return false;
  if (router.part == Part::expert_router) return component.part == Part::expert;
  return component.part == Part::q || component.part == Part::k || component.part == Part::v ||
         component.part == Part::o;
}

bool in_rest(const Component& component, const Component& router) {
  return component.layer == router.layer && component != router && !in_module(component, router);
}

bool is_embedding(const Component& component) {
  return component.layer < 0 && component.part == Part::embedding;
}
bool is_final(const Component& component) {
  return component.layer < 0 && component.part != Part::embedding;
}
bool is_upstream(const Component& component, int64_t layer) {
  return component.layer >= 0 && component.layer < layer;
}
bool is_downstream(const Component& component, int64_t layer) {
  return component.layer > layer || is_final(component);
}

unsigned player_of(const Component& component, const Component& router) {
  if (in_module(component, router)) return module_player;
  if (in_rest(component, router)) return rest_player;
  const bool cross = is_upstream(component, router.layer) || is_downstream(component, router.layer);
  return cross ? cross_player : 0U;
}

using Belongs = std::function<bool(const Component&)>;

Group group_of(std::string name, const std::set<Component>& components, const Belongs& belongs) {
  Group group{std::move(name), {}};
  std::copy_if(components.begin(), components.end(), std::back_inserter(group.components), belongs);
  return group;
}

const GroupRows& named(std::span<const GroupRows> groups, const std::string& name) {
  const auto found = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.group.name == name; });
  check(found != groups.end(), "[recovery] group {} was not measured", name);
  return *found;
}

/// The three players' rows and those of all, over the draws in which every coalition has a value.
struct PlayerRows {
  DrawRows module, rest, cross, all;
};

PlayerRows player_rows(std::span<const GroupRows> groups) {
  std::array<const GroupRows*, 8> coalition{};
  for (std::size_t bits = 1; bits < 8; ++bits) coalition[bits] = &named(groups, coalitions[bits]);
  PlayerRows result;
  for (std::size_t draw = 0; draw < coalition[7]->rows.size(); ++draw) {
    if (!std::all_of(coalition.begin() + 1, coalition.end(), [&](auto* c) { return c->rows[draw].has_value(); }))
      continue;
    const std::vector<double>& all = *coalition[7]->rows[draw];
    DrawRows players(3);
    for (std::size_t sequence = 0; sequence < all.size(); ++sequence) {
      std::array<double, 8> value{};
      for (std::size_t bits = 1; bits < 8; ++bits) value[bits] = (*coalition[bits]->rows[draw])[sequence];
      const auto parts = shapley(value);
      for (std::size_t player = 0; player < 3; ++player) players[player].push_back(parts[player]);
    }
    result.module.push_back(players[0]);
    result.rest.push_back(players[1]);
    result.cross.push_back(players[2]);
    result.all.push_back(all);
  }
  return result;
}

std::string within_noise(const char* what, const Measured& measured) {
  if (std::isnan(measured.standard_error))
    return fmt::format("{} {:.6f} nats, with an error that so few samples can't tell", what, measured.value);
  return fmt::format("{} {:.6f} nats, within its noise ({} standard errors = {:.6f})", what, measured.value,
                     noise_errors, noise_errors * measured.standard_error);
}

}  // namespace

std::vector<Group> recovery_groups(std::span<const Component> components, const Component& router) {
  const std::set<Component> known(components.begin(), components.end());
  const int64_t layer = router.layer;
  check(known.contains(router) && is_router(router.part), "[recovery] {} is no router of this subject",
        to_string(router));
  std::vector<Group> groups;
  const auto add = [&](std::string name, const Belongs& belongs) {
    groups.push_back(group_of(std::move(name), known, belongs));
  };
  add("router", [&](const Component& c) { return c == router; });
  add("embedding", is_embedding);
  add("upstream", [&](const Component& c) { return is_upstream(c, layer); });
  add("downstream", [&](const Component& c) { return is_downstream(c, layer); });
  for (unsigned bits = 1; bits < 8; ++bits)
    add(coalitions[bits], [&](const Component& c) { return (player_of(c, router) & bits) != 0; });
  std::set<int64_t> others;
  for (const Component& component : known)
    if (component.layer >= 0 && component.layer != layer) others.insert(component.layer);
  for (int64_t other : others)
    add(fmt::format("block.{}", other), [&](const Component& c) { return c.layer == other; });
  add("final", is_final);
  return groups;
}

std::vector<Component> router_components(std::span<const Component> components) {
  std::vector<Component> result;
  std::copy_if(components.begin(), components.end(), std::back_inserter(result),
               [](const Component& component) { return is_router(component.part); });
  std::sort(result.begin(), result.end());
  return result;
}

Measured mean_of(const DrawRows& rows) {
  if (rows.empty() || rows.front().empty()) return {nan, nan, 0};
  const auto samples = static_cast<int64_t>(rows.size() * rows.front().size());
  if (rows.size() == 1) {
    const Summary summary = summarize(rows.front());
    return {summary.mean, summary.sd / std::sqrt(static_cast<double>(summary.n)), samples};
  }
  const std::vector<double> equal_lengths(rows.front().size(), 1.0);
  const DocumentInterval crossed = document_interval(rows, equal_lengths);
  return {crossed.mean, crossed.standard_error, samples};
}

bool above_noise(const Measured& measured) {
  return measured.value > noise_errors * measured.standard_error;
}

std::array<double, 3> shapley(const std::array<double, 8>& value) {
  std::array<double, 3> result{};
  for (unsigned player = 0; player < 3; ++player) {
    const unsigned self = 1U << player, a = 1U << (player + 1) % 3, b = 1U << (player + 2) % 3;
    const auto adds = [&](unsigned others) { return value[others | self] - value[others]; };
    result[player] = (2 * adds(0) + adds(a) + adds(b) + 2 * adds(a | b)) / 6;
  }
  return result;
}

Recovery recovery_of(const GroupRows& group) {
  Recovery result{group.group, {}, {}};
  DrawRows kept;
  for (const auto& row : group.rows) {
    result.by_draw.push_back(row ? summarize(*row).mean : nan);
    if (row) kept.push_back(*row);
  }
  result.measured = mean_of(kept);
  return result;
}

CrossLayerShare cross_layer_share(std::span<const GroupRows> groups, const Measured& swap_cost) {
  const PlayerRows rows = player_rows(groups);
  CrossLayerShare result{mean_of(rows.all), mean_of(rows.module), mean_of(rows.rest), mean_of(rows.cross), {}, {}};
  if (rows.all.empty())
    result.undefined = "an adaptation diverged in every draw";
  else if (!above_noise(swap_cost))
    result.undefined = within_noise("the swap costs", swap_cost);
  else if (!above_noise(result.all))
    result.undefined = within_noise("all other components together recover", result.all);
  else
    result.share = result.cross.value / result.all.value;
  return result;
}

}  // namespace absorb
