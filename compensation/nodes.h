// How components and groups are written in graphs and files.
#pragma once

#include "compensation/graph.h"
#include "compensation/groups.h"
#include "core/settings.h"

namespace absorb {

/// The node of a group within one layer (see graph.h for the granularity); InternalError for an empty group and for
/// one that spans layers.
GraphNode node_of(const Group& group);

/// [layer, part, index]: unlike the printed name it tells the token and the position table apart.
Json json_of(const Component& component);
/// The inverse; throws nlohmann's exceptions or a UserError on anything else.
Component component_from(const Json& json);
Json json_of(const std::vector<Component>& components);

}  // namespace absorb
