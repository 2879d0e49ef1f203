// Do two sets of runs differ in what the queries say? By permutation over seeds: nothing but whole runs is exchanged,
// so that the many edges of one run never count as many observations.
#pragma once

#include <string>
#include <vector>

#include "compensation/graph/queries/queries.h"

namespace absorb {

/// One whole-graph number of a query on both sides, by seed.
struct ComparedNumber {
  std::string query, name;
  bool exploratory = false;
  std::vector<double> a, b;  // NaN left out; the same seeds in the same order where `paired`
  bool paired = false;
  double p = 0;  // two-sided: signs flipped where the same seeds are on both sides (statistics/paired.h), else all ways
                 // to share out the runs (statistics/counting/permutation.h); NaN where a side has no number
};

/// Only numbers of whole graphs are compared (of share also each router's): Holm's adjustment over hundreds of
/// components would leave nothing with the seeds that a study has. Columns: A, B, A - B (with the difference of two
/// random-edge graphs, shuffled alike, as its baseline), p, and p adjusted by Holm over the rows that are not
/// exploratory. UserError where a side has no edges or both are the same.
QueryResult compare(const CompensationGraph& graph, const QueryRequest& request);

/// The numbers that those rows are made of; `notes` gets what couldn't be asked.
std::vector<ComparedNumber> compared_numbers(const CompensationGraph& graph, const QueryRequest& request,
                                             std::vector<std::string>& notes);

}  // namespace absorb
