#include "compensation/graph/queries/path_null.h"

#include <algorithm>
#include <cmath>

#include "core/numbers.h"

namespace absorb {
namespace {

/// Of one graph: the strongest path of each number of edges, 0 where there is none.
using Strongest = std::array<double, most_tested_edges>;

/// The observed graph first, then the null's.
class StrongestPaths {
 public:
  StrongestPaths(const GraphView& view, const PathEnds& ends, PathStrength strength)
      : view_(view), ends_(ends), strength_(strength) {
    add(view.mean);
  }

  void add(const LinkValues& values) {
    const WeightedGraph graph = link_graph(view_, values, Links::positive).graph;
    Strongest& strongest = graphs_.emplace_back();
    const auto paths = strongest_by_edges(graph, most_tested_edges, ends_, strength_);
    for (std::size_t i = 0; i < paths.size(); ++i)
      if (!paths[i].vertices.empty()) strongest[i] = value_of(paths[i]);
  }

  double value_of(const StrongPath& path) const {
    return strength_ == PathStrength::product ? path.strength : path.weakest;
  }

  /// Once all are added: of each null graph the smallest p over the numbers of edges.
  void find_smallest() {
    for (std::size_t i = 0; i < most_tested_edges; ++i) {
      std::vector<double>& column = sorted_.emplace_back();
      for (const Strongest& graph : graphs_) column.push_back(graph[i]);
      std::ranges::sort(column);
    }
    for (auto graph = graphs_.begin() + 1; graph != graphs_.end(); ++graph) {
      double least = 1;
      for (std::size_t i = 0; i < most_tested_edges; ++i) least = std::min(least, reaching(i, (*graph)[i]));
      smallest_.push_back(least);
    }
  }

  double p_of(const StrongPath& path) const {
    const double alone = reaching(path.vertices.size() - 2, value_of(path));
    const auto reached = std::ranges::count_if(smallest_, [&](double least) { return least <= alone; });
    return static_cast<double>(1 + reached) / static_cast<double>(1 + smallest_.size());
  }
  double baseline_of(const StrongPath& path) const {
    double sum = 0;
    for (std::size_t i = 1; i < graphs_.size(); ++i) sum += graphs_[i][path.vertices.size() - 2];
    return sum / static_cast<double>(graphs_.size() - 1);
  }

 private:
  /// The share of all graphs whose strongest path of i + 1 edges is as strong.
  double reaching(std::size_t i, double value) const {
    const double reach = value - 1e-12 * std::abs(value);  // products in another order differ by rounding
    const auto first = std::ranges::lower_bound(sorted_[i], reach);
    return static_cast<double>(sorted_[i].end() - first) / static_cast<double>(sorted_[i].size());
  }

  const GraphView& view_;
  PathEnds ends_;
  PathStrength strength_;
  std::vector<Strongest> graphs_;
  std::vector<std::vector<double>> sorted_;  // [edges][graphs]
  std::vector<double> smallest_;             // [null graphs]
};

/// Each seed's values exchanged by themselves, among the links of a kind that this seed has.
LinkValues exchanged_by_seed(const GraphView& view, const std::vector<std::vector<std::size_t>>& kinds,
                             Random& random) {
  std::vector<LinkValues> seeds = view.by_seed;
  for (LinkValues& seed : seeds)
    for (std::vector<std::size_t> links : kinds) {
      std::erase_if(links, [&](std::size_t link) { return std::isnan(seed.value[link]); });
      seed = shuffled(seed, links, random);
    }
  return mean_of(seeds, view.links.size());
}

LinkValues exchanged_alike(const GraphView& view, const std::vector<std::vector<std::size_t>>& kinds, Random& random) {
  LinkValues values = view.mean;
  for (const std::vector<std::size_t>& links : kinds) values = shuffled(values, links, random);
  return values;
}

}  // namespace

NullNumbers null_of_paths(const GraphView& view, const PathEnds& ends, std::span<const StrongPath> paths, int64_t draws,
                          Random random) {
  NullNumbers result{Numbers(2 * paths.size(), nan), Numbers(2 * paths.size(), nan)};
  const auto kinds = kinds_of_links(view);
  if (draws == 0 || std::ranges::all_of(kinds, [](const auto& kind) { return kind.size() < 2; })) return result;
  StrongestPaths meeting(view, ends, PathStrength::product), lasting(view, ends, PathStrength::weakest);
  for (int64_t draw = 0; draw < draws; ++draw) {
    meeting.add(exchanged_alike(view, kinds, random));
    if (view.seeds.size() > 1) lasting.add(exchanged_by_seed(view, kinds, random));
  }
  meeting.find_smallest();
  lasting.find_smallest();
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const std::size_t edges = paths[i].vertices.size() - 1;
    if (edges > most_tested_edges) continue;
    if (edges > 1 || ends.from || ends.to) {
      result.baseline[2 * i] = meeting.baseline_of(paths[i]);
      result.p[2 * i] = meeting.p_of(paths[i]);
    }
    if (view.seeds.size() < 2) continue;
    result.baseline[2 * i + 1] = lasting.baseline_of(paths[i]);
    result.p[2 * i + 1] = lasting.p_of(paths[i]);
  }
  return result;
}

}  // namespace absorb
