// What measures that take samples have in common: which held-out sequences they read, when they have read enough, and
// the cells that make them resumable. Surprising: precision is judged by the median edge, so that a few edges that stay
// near their noise don't make a measure read everything there is.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "compensation/measures/cells.h"
#include "compensation/measures/measurement.h"
#include "core/numbers.h"

namespace absorb {

constexpr double unknown = nan;

/// 0 ... count - 1 in an order that the key gives.
std::vector<int64_t> shuffled(int64_t count, uint64_t key);
/// One number of a matrix of doubles on the CPU.
double entry(const Tensor& matrix, std::size_t row, std::size_t column);

/// [held_out] every held-out sequence once, shuffled, the same in every call with the same epoch. Samples are prefixes
/// of it, so that a larger sample contains the smaller and its finished cells.
std::vector<int64_t> shuffled_sequences(int64_t held_out, uint64_t epoch = 0);

struct SampleSizes {
  int64_t first = 1, most = 1;
  double precision = 0.1;  // relative standard error to stop at
  std::string unit;        // "examples", in the note
};

struct Sampled {
  int64_t samples = 0;
  std::string note;  // empty, or one sentence: no edge to judge by, or how many samples more precision needs
};

/// Calls `measure(samples)` with first, 2 first, 4 first ... at most `most`, until the median of what it returns, the
/// relative standard errors of the edges above their noise, is at most `precision`. None, or a NaN among
/// them, counts as infinite: more samples may lift an edge out of its noise.
Sampled sample_until_precise(const SampleSizes& sizes, const std::function<std::vector<double>(int64_t)>& measure);

/// Hash of a measure, the subject and the settings that it depends on.
std::string measurement_identity(const std::string& measure, const Subject& subject, const Json& settings);

/// The cells of one measure of one subject, its progress and the time that new cells took.
class Work {
 public:
  Work(std::string measure, Subject& subject, const MeasureContext& context);
  /// So many pieces more are going to be asked for.
  void expect(int64_t pieces) { total_ += pieces; }
  /// The cell of `piece`, an object of all that it depends on besides measure and subject; `next` says in words what it
  /// is. Its numbers have to be finite: JSON has no others, and a resumed measure must see what the first one saw.
  const Json& get(const Json& piece, const std::string& next, const std::function<Json()>& make);
  /// Spent in `make`.
  double seconds() const { return seconds_; }

 private:
  std::string measure_, subject_;
  const MeasureContext& context_;
  Cells cells_;
  int64_t done_ = 0, total_ = 0;
  double seconds_ = 0;
};

/// The names, for keys of cells.
std::vector<std::string> names_of(std::span<const Group> groups);
/// The nodes of groups within one layer, in their order.
std::vector<GraphNode> nodes_of(std::span<const Group> groups);

}  // namespace absorb
