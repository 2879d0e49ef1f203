// Questions one can ask of a compensation graph: where damage is made up for, over which ways, by how many. Every
// answer stands beside its random-edge baseline: the same query on graphs whose edge values were shuffled among the
// edges it looks at, so that what the mere shape of the graph gives is seen. Surprising: nothing here measures
// anything, and a query marked exploratory gives no verdict.
//
// Which graph: one arm, target and measure. With several seeds the answer is that of the mean graph (each edge the mean
// over the seeds that have it), and its standard error and interval come from asking every seed's graph by itself.
// Edges of a measure without a direction count in both. An edge whose value isn't above 0 carries no flow and is on no
// path; self loops are left out everywhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compensation/graph/graph.h"
#include "core/numbers.h"
#include "statistics/summary.h"

namespace absorb {

struct QueryRequest {
  std::string query;        // one of query_names()
  EdgeFilter edges = {};    // arm, target, measure; absent: the only one there is, or the query's usual measure. No
                            // seed: the mean over seeds
  EdgeFilter against = {};  // the other side of `compare`; what is absent is as in `edges`
  std::size_t count = 5;    // of paths, and of the rows of queries that rank
  std::optional<std::string> from = {}, to = {};  // names of nodes
  std::optional<int64_t> draws = {};              // of the baseline; absent: 200, fewer (not below 19) on large graphs
};

/// NaN or absent: not known, or undefined (a note then says why).
struct QueryNumber {
  double value = nan;
  double standard_error = nan;        // over seeds; of one seed: from its edges' errors
  std::optional<Interval> ci95 = {};  // over seeds
  double baseline = nan;              // mean over the random-edge graphs
  double p = nan;                     // (1 + those that reach the value) / (1 + draws), one-sided
};

struct QueryColumn {
  std::string name, unit;
};

struct QueryRow {
  std::string label;
  std::vector<QueryNumber> numbers;  // [columns]
};

struct QueryResult {
  std::string name = {};
  std::string question = {};  // one sentence
  bool exploratory = false;
  std::string arm = {}, target = {}, measure = {};  // joined by " against " or "; " where there are several
  std::vector<int64_t> seeds = {};
  int64_t draws = 0;  // random-edge graphs asked
  std::vector<QueryColumn> columns = {};
  std::vector<QueryRow> rows = {};
  std::vector<std::string> notes = {};  // one sentence each
};

/// share: own-layer against cross-layer, by disturbed router, by layer and in all. Share = cross / (own + cross), with
///   Fieller's interval over seeds; undefined where own + cross is within 2 of its errors.
/// paths: the strongest between two nodes, or with an open end. Strength = product over its edges of value / largest
///   value of the graph: free of units, at most 1, and every further edge costs. (Relative to the largest of the node
///   instead, an edge within noise would count as 1 for being the only one; by the weakest edge alone, all paths over
///   one bottleneck would tie.) The weakest edge stands beside it in the measure's unit. Behind the strongest paths
///   stands the strongest of each number of edges that isn't among them. Its null is one of its own (path_null.h).
/// sharing: for each component the effective number exp(entropy) of disturbed sources that it makes up for: 1 where it
///   stands in for one alone. The source-based form of science.md's choice sharing, whose choices a graph doesn't hold.
/// agreement: Spearman's correlation of predicted (coupling, curvature, first_order) and measured (recovery,
///   components) edges over the pairs that both have. A node of several parts gets its predicted edge
///   from those of its parts (queries_agreement.h).
/// compare: edges against `against`, each query's whole-graph numbers by permutation over seeds (compare.h).
/// Exploratory. hubs: weighted out- and in-strength and betweenness over lengths 1 / value. containment: components
///   that every path from a router over edges above their noise passes through. capacity: the most that flows from a
///   router to the final nodes (or `to`) over edges that lead forward in the order of the layers. cut: the edges whose
///   removal stops that flow at the least cost. groups: communities by modularity over edges above their noise.
std::vector<std::string> query_names();

/// UserError in one line for an unknown query, arm, target, measure or node (with those that exist), and for ends that
/// no path connects.
QueryResult run_query(const CompensationGraph& graph, const QueryRequest& request);

}  // namespace absorb
