// Every measure of compensation, in one registry: what it is called, what its edges mean, how people read it, and the
// function that makes it. The graph, its queries, tables and pages ask here; none of them knows a measure by name. A
// new measure is one header, one source and one line in compensation/measures/builtin.cpp, beside which the registry
// lives, or comes with a plug-in (docs/extending.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace absorb {

struct CompensationSettings;
struct MeasureContext;
struct Measurement;
class Subject;
using MakeMeasurement = Measurement (*)(Subject&, const CompensationSettings&, const MeasureContext&);

/// predicts: a cheap measure that `absorb graph agreement` holds against those that measure.
enum class MeasureRole { neither, predicts, measures };

/// What the edges of one name mean, and how they are spoken of, in plain text.
struct MeasureInfo {
  std::string name;
  std::string unit;        // "1" and "ratio" aren't printed
  bool directed = true;    // false: one edge, from the end that sorts first, stands for both directions
  bool self_loop = false;  // true: a number of one component, as an edge to itself
  MeasureRole role = MeasureRole::neither;
  bool sums = false;            // a group's number is the sum of its parts', else the root of the sum of their squares
  std::string title = {};       // empty: the name
  std::string reading = {};     // how to read its graph, one or two sentences
  std::string definition = {};  // how it is measured
};

struct Measure {
  std::vector<MeasureInfo> edges;  // the first one's name is the measure's
  MakeMeasurement make = nullptr;
  int64_t order = 100;      // measures are made in rising order: cheap ones first
  bool pairs = false;       // looks at other arms' runs: MeasureContext::paired and same
  std::string origin = {};  // hash of the plug-in that brought it; empty: built in
  const std::string& name() const { return edges.at(0).name; }
};

class Measures {
 public:
  /// InternalError for a measure without edges and for a name that is taken.
  void add(Measure measure);
  /// In the order in which they were added, which tables and pages keep.
  const std::vector<Measure>& all() const { return all_; }
  /// Null where there is none.
  const Measure* find(std::string_view name) const;
  /// What the edges of this name mean; null where no measure makes any.
  const MeasureInfo* edges_named(std::string_view name) const;

 private:
  std::vector<Measure> all_;
};

/// The registry. Defined in compensation/measures/builtin.cpp, with the list of what is built in.
Measures& measures();

/// Another name gets directed edges without a unit.
const MeasureInfo& measure_info(std::string_view name);
/// Names of edges in the order of the registry; of a role alone where one is given.
std::vector<std::string> edge_names();
std::vector<std::string> edge_names(MeasureRole role);

}  // namespace absorb
