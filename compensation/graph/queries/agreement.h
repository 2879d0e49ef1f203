// Predicted against measured edges: coupling, curvature and the first-order estimate are cheap, recovery is what they
// stand for. Surprising: the two don't share nodes. A recovery ends in a group that adapted together, "1.q+k+v+o" or
// "3.block", while predictions are between single parts, "1.q"; predicted_edge() is how one becomes the other.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compensation/graph/graph.h"

namespace absorb {

/// The predicted edge between two nodes of several parts, from the edges between their parts. first_order is an L1 norm
/// of a gradient, so that parts add up: the sum. coupling and curvature are Frobenius norms of blocks of one matrix:
/// the root of the sum of squares, in which an estimate below 0 subtracts its square. (Exact for the norms themselves;
/// of values that were normalised part by part it is the natural reading, no identity.) NaN for no edges.
double predicted_edge(const std::string& measure, std::span<const double> part_edges);

/// Spearman's correlation over the pairs of nodes for which both are known.
struct RankAgreement {
  std::string predicted, measured;  // measures
  std::size_t pairs = 0;            // in the mean graph
  double value = 0;                 // of the mean graphs; NaN below two pairs
  std::vector<int64_t> seeds;       // that have both
  std::vector<double> by_seed;
  std::vector<double> random;  // with the predicted edges' values shuffled, [draws]
};

/// For every predicted and every measured measure that the arm and target of `filter` have; `filter.measure` narrows
/// either side. A node's parts are those that its name lists, "block" all of its layer; where predictions are between
/// the very same nodes these are taken as they are. A prediction without direction fits a measured edge either way.
std::vector<RankAgreement> agreements(const CompensationGraph& graph, const EdgeFilter& filter,
                                      std::optional<int64_t> draws);

}  // namespace absorb
