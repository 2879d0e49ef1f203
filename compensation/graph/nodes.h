// How groups are written in graphs.
#pragma once

#include "compensation/graph/graph.h"
#include "compensation/subject/component_json.h"
#include "compensation/subject/groups.h"

namespace absorb {

/// The node of a group within one layer (see graph.h for the granularity); InternalError for an empty group and for
/// one that spans layers.
GraphNode node_of(const Group& group);

}  // namespace absorb
