// What the tests of the queries share: small graphs, and the rows and messages of an answer.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compensation/graph/queries/queries.h"
#include "core/error.h"
#include "core/numbers.h"
#include "core/random.h"

namespace absorb {

/// Two layers of router, module and feed-forward layer, with embedding and final norm.
inline CompensationGraph nodes_only() {
  CompensationGraph graph;
  graph.add_node({"embedding", -1, "embedding"});
  for (int64_t layer = 0; layer < 2; ++layer)
    for (const char* part : {"attention_router", "q", "k", "feed_forward"})
      graph.add_node({std::to_string(layer) + "." + part, layer, part});
  graph.add_node({"norm", -1, "norm"});
  return graph;
}

struct OfRun {
  std::string measure = "components";
  int64_t seed = 1;
  double error = 0.001;
};

inline void add(CompensationGraph& graph, const std::string& from, const std::string& to, double value,
                const OfRun& run = {}) {
  graph.add_edge({from, to, value, run.error, 64, run.measure, "learned", "attention", run.seed});
}

inline QueryRequest request_of(const std::string& query) {
  QueryRequest request{query};
  request.draws = 99;
  return request;
}

inline const QueryRow& row_of(const QueryResult& result, const std::string& label) {
  const auto found = std::ranges::find(result.rows, label, &QueryRow::label);
  if (found == result.rows.end()) throw InternalError("no row " + label);
  return *found;
}

inline double value_of(const QueryResult& result, const std::string& label, std::size_t column = 0) {
  return row_of(result, label).numbers.at(column).value;
}

inline bool has_note(const QueryResult& result, const std::string& part) {
  return std::ranges::any_of(result.notes, [&](const auto& note) { return note.find(part) != std::string::npos; });
}

template <class Act>
inline std::string user_error_of(const Act& act) {
  try {
    act();
  } catch (const UserError& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "";
}

inline std::string error_of(const CompensationGraph& graph, const QueryRequest& request) {
  return user_error_of([&] { run_query(graph, request); });
}

/// A graph that every query can be asked: components and coupling over random links, three seeds.
inline CompensationGraph full_graph(uint64_t key) {
  CompensationGraph graph = nodes_only();
  Random random(key);
  const auto nodes = graph.nodes();
  for (const GraphNode& from : nodes)
    for (const GraphNode& to : nodes) {
      if (from.name == to.name || random.below(4) == 0) continue;
      const double value = std::exp(random.gauss());
      for (int64_t seed = 1; seed <= 3; ++seed) {
        add(graph, from.name, to.name, value * (1 + 0.1 * random.gauss()), {"components", seed, 0.05});
        if (from.name < to.name)
          add(graph, from.name, to.name, value * (1 + 0.5 * random.gauss()), {"coupling", seed, 0.05});
      }
    }
  return graph;
}

}  // namespace absorb
