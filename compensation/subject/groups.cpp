#include "compensation/subject/groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "core/error.h"

namespace absorb {
namespace {

bool in_module(const Component& component, const Component& router) {
  if (component.layer != router.layer) return false;
  if (router.part == Part::expert_router)
    return component.part == Part::expert || component.part == Part::expert_weigher;
  return component.part == Part::attention_weigher || component.part == Part::q || component.part == Part::k ||
         component.part == Part::v || component.part == Part::o;
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
  for (unsigned bits = 1; bits < 8; ++bits) {
    add(coalition_names[bits], [&](const Component& c) { return (player_of(c, router) & bits) != 0; });
    for (const unsigned player : {module_player, rest_player, cross_player})
      if ((bits & player) != 0)
        groups.back().parts.push_back(
            group_of("", known, [&](const Component& c) { return player_of(c, router) == player; }).components);
  }
  std::set<int64_t> others;
  for (const Component& component : known)
    if (component.layer >= 0 && component.layer != layer) others.insert(component.layer);
  for (int64_t other : others)
    add(fmt::format("block.{}", other), [&](const Component& c) { return c.layer == other; });
  add("final", is_final);
  return groups;
}

Group dealt_coalition(const Group& all, unsigned coalition) {
  Group group{coalition_names.at(coalition), {}};
  check(all.parts.size() == 3, "[recovery] {} players to deal out", all.parts.size());
  for (std::size_t player = 0; player < 3; ++player) {
    if (all.parts[player].empty()) continue;
    if ((coalition >> player & 1U) != 0) group.chosen.push_back(group.parts.size());
    group.parts.push_back(all.parts[player]);
  }
  if (group.chosen.empty()) return {group.name, {}};
  group.components = all.components;
  return group;
}

std::vector<std::vector<Component>> adapting_parts(const Group& group) {
  std::vector<std::vector<Component>> parts = group.parts;
  if (parts.empty()) parts.push_back(group.components);
  std::erase_if(parts, [](const std::vector<Component>& part) { return part.empty(); });
  return parts;
}

std::vector<Component> router_components(std::span<const Component> components) {
  std::vector<Component> result;
  std::copy_if(components.begin(), components.end(), std::back_inserter(result),
               [](const Component& component) { return is_router(component.part); });
  std::sort(result.begin(), result.end());
  return result;
}

std::vector<Group> part_groups(std::span<const Component> components) {
  std::vector<Group> groups;
  for (const Component& component : components) {
    const std::string name = component.layer < 0 ? std::string(to_string(component.part))
                                                 : fmt::format("{}.{}", component.layer, to_string(component.part));
    auto found = std::find_if(groups.begin(), groups.end(), [&](const Group& group) { return group.name == name; });
    if (found == groups.end()) found = groups.insert(groups.end(), {name, {}});
    found->components.push_back(component);
  }
  for (Group& group : groups) std::sort(group.components.begin(), group.components.end());
  return groups;
}

}  // namespace absorb
