#include "compensation/graph/nodes.h"

#include <fmt/format.h>

#include "core/error.h"

namespace absorb {

GraphNode node_of(const Group& group) {
  check(!group.components.empty(), "[graph] the group {} has no components", group.name);
  const int64_t layer = group.components.front().layer;
  std::vector<std::string> parts;  // components are sorted, by part within a layer
  for (const Component& component : group.components) {
    check(component.layer == layer, "[graph] the group {} spans layers", group.name);
    const std::string part(to_string(component.part));
    if (parts.empty() || parts.back() != part) parts.push_back(part);
  }
  const std::string part = group.name.starts_with("block.") ? "block" : join(parts, "+");
  return {layer < 0 ? part : fmt::format("{}.{}", layer, part), layer, part};
}

}  // namespace absorb
