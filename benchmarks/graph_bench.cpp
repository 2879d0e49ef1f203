// Every query on a graph far larger than a transformer gives: 10^4 nodes and 10^5 edges have to be answered within 5 s
// on one core, baseline included (betweenness, whose time is nodes x edges, is left out by `hubs` at this size).
// `answer` says with how many random-edge graphs, in the counter `draws`.
#include <benchmark/benchmark.h>

#include <cmath>

#include "compensation/graph/graph_algorithms.h"
#include "compensation/graph/queries/queries.h"
#include "core/random.h"

namespace absorb::bench {
namespace {

constexpr int64_t layers = 1250, edges = 100'000;
const std::vector<std::string> parts = {"norm", "attention_router", "q", "k", "v", "o", "expert_router", "expert"};

struct Size {
  int64_t seeds = 1;
  std::vector<std::string> arms = {"learned"}, measures = {"components"};
};

/// `edges` edges in all: the same random links for every arm, measure and seed, most of them to layers nearby, with
/// values over two decades and errors of a fifth of the value to all of it.
CompensationGraph large_graph(const Size& size) {
  Random random(1);
  CompensationGraph graph;
  std::vector<std::string> names;
  const auto add = [&](const GraphNode& node) {
    graph.add_node(node);
    names.push_back(node.name);
  };
  add({"embedding", -1, "embedding"});
  for (int64_t layer = 0; layer < layers; ++layer)
    for (const std::string& part : parts) add({std::to_string(layer) + "." + part, layer, part});
  add({"norm", -1, "norm"});
  const auto copies = static_cast<int64_t>(size.arms.size() * size.measures.size()) * size.seeds;
  for (int64_t link = 0; link < edges / copies; ++link) {
    const std::size_t from = random.below(names.size());
    const std::size_t near = (from + 1 + random.below(40)) % names.size(), far = random.below(names.size());
    const std::size_t to = link % 4 == 0 ? far : near;
    const double value = std::exp(random.gauss());
    for (const std::string& arm : size.arms)
      for (const std::string& measure : size.measures)
        for (int64_t seed = 1; seed <= size.seeds; ++seed)
          graph.add_edge({names[from], names[to], value * (1 + 0.2 * random.gauss()),
                          value * (0.2 + 0.8 * random.uniform()), 64, measure, arm, "attention", seed});
  }
  return graph;
}

void ask(benchmark::State& state, const CompensationGraph& graph, const QueryRequest& request) {
  int64_t draws = 0;
  for (auto unused : state) draws = run_query(graph, request).draws;
  state.counters["draws"] = static_cast<double>(draws);
}

void one_run(benchmark::State& state, const std::string& query) {
  static const CompensationGraph graph = large_graph({});
  ask(state, graph, {query});
}
void path_between(benchmark::State& state) {
  static const CompensationGraph graph = large_graph({});
  QueryRequest request{"paths"};
  request.from = "1.attention_router";
  request.to = "norm";
  ask(state, graph, request);
}
void predicted(benchmark::State& state) {
  static const CompensationGraph graph = large_graph({1, {"learned"}, {"components", "coupling"}});
  ask(state, graph, {"agreement"});
}
void two_arms(benchmark::State& state) {
  static const CompensationGraph graph = large_graph({5, {"learned", "random"}, {"components"}});
  QueryRequest request{"compare"};
  request.edges.arm = "learned";
  request.against.arm = "random";
  ask(state, graph, request);
}
BENCHMARK_CAPTURE(one_run, share, "share")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(one_run, paths, "paths")->Unit(benchmark::kMillisecond);
BENCHMARK(path_between)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(one_run, sharing, "sharing")->Unit(benchmark::kMillisecond);
BENCHMARK(predicted)->Name("agreement")->Unit(benchmark::kMillisecond);
BENCHMARK(two_arms)->Name("compare/5_seeds_a_side")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(one_run, hubs, "hubs")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(one_run, containment, "containment")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(one_run, capacity, "capacity")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(one_run, cut, "cut")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(one_run, groups, "groups")->Unit(benchmark::kMillisecond);

/// How betweenness grows: nodes x edges.
void between(benchmark::State& state) {
  Random random(2);
  WeightedGraph graph{static_cast<std::size_t>(state.range(0)), {}};
  for (std::size_t i = 0; i < 10 * graph.vertices; ++i)
    graph.edges.push_back({random.below(graph.vertices), random.below(graph.vertices), 0.01 + random.uniform()});
  for (auto unused : state) benchmark::DoNotOptimize(betweenness(graph));
  state.SetItemsProcessed(state.iterations() * state.range(0) * state.range(0) * 10);
}
BENCHMARK(between)->Name("betweenness/nodes")->Arg(100)->Arg(1000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace absorb::bench
