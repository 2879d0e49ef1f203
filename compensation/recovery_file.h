// What was measured of one run, as a file, and as edges of the compensation graph.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "compensation/graph.h"
#include "compensation/measure.h"
#include "core/files.h"

namespace absorb {

struct RunRecovery {
  std::string arm, target;
  int64_t seed = 0;
  std::vector<RecoveryResult> results;  // one for each disturbed router
};

/// JSON with a format version, whole or absent; numbers survive bit for bit. It says matching = "unmatched".
void save_recovery(const Path& path, const RunRecovery& run);
/// UserError naming the path if it is no such file or one of another version.
RunRecovery load_recovery(const Path& path);

/// The node of a group of disjoint components (see graph.h for the granularity); not for groups that are unions.
GraphNode group_node(const Group& group);

/// Edges from each disturbed router to itself, module, rest, every other block, embedding and final, of measure
/// "recovery_unmatched". Groups that are empty, or diverged in every draw, give none.
CompensationGraph recovery_graph(std::span<const RunRecovery> runs);

}  // namespace absorb
