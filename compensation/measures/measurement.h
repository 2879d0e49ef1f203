// One measure of one run: a set of edges, each with value, standard error and samples, and what else it found. Every
// measure of this folder is a function from a subject to a Measurement, so that the command, the graph and the report
// need not know them one by one.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compensation/graph/graph.h"
#include "compensation/subject/settings.h"
#include "compensation/subject/subject.h"

namespace absorb {

struct Measurement {
  std::string measure;   // its name in measures()
  std::string identity;  // hash of the subject and of every setting that it depends on
  std::string arm, target;
  int64_t seed = 0;
  std::vector<GraphNode> nodes;
  std::vector<GraphEdge> edges;    // their arm, target and seed are filled in by save and load
  std::vector<std::string> notes;  // one sentence each: what is undefined, was left out, or needs more samples
  Json details = Json::object();   // of this measure alone: curves, costs, nulls
  double seconds = 0;              // spent on measuring; 0 where the cache had it
};

/// How a measure is run.
struct MeasureContext {
  Path cache = {};                   // folder of finished cells (compensation/measures/cells.h); empty: none are kept
  std::vector<int64_t> layers = {};  // whose routers (recovery) or parts (components) are disturbed; empty: all
  /// Called before each piece of work with what comes next and how many of `total` are done. May throw to stop:
  /// finished cells stay in the cache.
  std::function<void(std::string_view next, int64_t done, int64_t total)> progress = {};
  Subject* paired = nullptr;  // drift: the other arm of the pair (same seed), or null
  Subject* same = nullptr;    // drift: an A/A arm of that other arm, whose displacement is the unit, or null
};

/// JSON with a format version, whole or absent; numbers survive bit for bit.
void save_measurement(const Path& path, const Measurement& measurement);
/// UserError naming the path if it is no such file or one of another version.
Measurement load_measurement(const Path& path);

/// All nodes and edges of several measurements in one graph.
CompensationGraph graph_of(std::span<const Measurement> measurements);

}  // namespace absorb
