#include "compensation/graph/communities.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/numbers.h"

namespace absorb {
namespace {

using Groups = std::vector<std::size_t>;

/// Both directions of every edge, without self loops but with what they would add to a vertex's strength.
struct Neighbours {
  std::vector<std::vector<std::pair<std::size_t, double>>> of;  // [vertices]
  std::vector<double> strength;                                 // [vertices]
  double total = 0;                                             // sum of strengths, 2 m
};

Neighbours neighbours_of(const WeightedGraph& graph) {
  Neighbours result{std::vector<std::vector<std::pair<std::size_t, double>>>(graph.vertices),
                    std::vector<double>(graph.vertices), 0};
  for (const auto& [from, to, weight] : graph.edges) {
    check(from < graph.vertices && to < graph.vertices, "[graph] no edge {} -> {}", from, to);
    if (from == to) continue;
    result.of[from].emplace_back(to, weight);
    result.of[to].emplace_back(from, weight);
    result.strength[from] += weight;
    result.strength[to] += weight;
    result.total += 2 * weight;
  }
  return result;
}

/// Every group becomes a vertex; its strength keeps the edges inside.
Neighbours merged(const Neighbours& fine, const Groups& groups, std::size_t count) {
  Neighbours result{std::vector<std::vector<std::pair<std::size_t, double>>>(count), std::vector<double>(count),
                    fine.total};
  std::vector<std::map<std::size_t, double>> weights(count);
  for (std::size_t vertex = 0; vertex < groups.size(); ++vertex) {
    result.strength[groups[vertex]] += fine.strength[vertex];
    for (const auto& [other, weight] : fine.of[vertex])
      if (groups[other] != groups[vertex]) weights[groups[vertex]][groups[other]] += weight;
  }
  for (std::size_t group = 0; group < count; ++group)
    result.of[group].assign(weights[group].begin(), weights[group].end());
  return result;
}

/// Moves vertices while that helps.
class Moves {
 public:
  Moves(const Neighbours& graph, Groups& groups)
      : graph_(graph), groups_(groups), strength_(groups.size()), to_group_(groups.size()) {
    for (std::size_t vertex = 0; vertex < groups.size(); ++vertex) strength_[groups[vertex]] += graph.strength[vertex];
  }

  bool run() {
    bool any = false;
    for (bool moved = true; moved; any |= moved) {
      moved = false;
      for (std::size_t vertex = 0; vertex < groups_.size(); ++vertex) moved |= move(vertex);
    }
    return any;
  }

 private:
  bool move(std::size_t vertex) {
    const double own_strength = graph_.strength[vertex];
    const std::size_t home = groups_[vertex];
    strength_[home] -= own_strength;
    Groups near{home};
    for (const auto& [other, weight] : graph_.of[vertex]) {
      if (to_group_[groups_[other]] == 0) near.push_back(groups_[other]);
      to_group_[groups_[other]] += weight;
    }
    const auto gain = [&](std::size_t group) {
      return to_group_[group] - own_strength * strength_[group] / graph_.total;
    };
    std::size_t best = home;
    double most = gain(home) + 1e-12 * own_strength;  // rounding must not make it move for ever
    for (std::size_t group : near) {
      if (gain(group) <= most) continue;
      best = group;
      most = gain(group);
    }
    for (std::size_t group : near) to_group_[group] = 0;
    strength_[best] += own_strength;
    groups_[vertex] = best;
    return best != home;
  }

  const Neighbours& graph_;
  Groups& groups_;
  std::vector<double> strength_;  // [groups]
  std::vector<double> to_group_;  // [groups], weight from the vertex that is looked at
};

/// Numbers groups from 0 in the order of their first vertex; returns how many there are.
std::size_t renumber(Groups& groups) {
  std::vector<std::size_t> number(groups.size(), no_vertex);
  std::size_t count = 0;
  for (std::size_t& group : groups) {
    if (number[group] == no_vertex) number[group] = count++;
    group = number[group];
  }
  return count;
}

}  // namespace

double modularity(const WeightedGraph& graph, const std::vector<std::size_t>& groups) {
  check(groups.size() == graph.vertices, "[graph] {} groups for {} vertices", groups.size(), graph.vertices);
  const Neighbours neighbours = neighbours_of(graph);
  if (!(neighbours.total > 0)) return nan;
  std::map<std::size_t, double> strength;
  double inside = 0, expected = 0;
  for (std::size_t vertex = 0; vertex < graph.vertices; ++vertex) {
    strength[groups[vertex]] += neighbours.strength[vertex];
    for (const auto& [other, weight] : neighbours.of[vertex]) inside += groups[other] == groups[vertex] ? weight : 0;
  }
  for (const auto& [group, sum] : strength) expected += sum * sum;
  return inside / neighbours.total - expected / (neighbours.total * neighbours.total);
}

std::vector<std::size_t> communities(const WeightedGraph& graph) {
  const Neighbours fine = neighbours_of(graph);
  Groups groups(graph.vertices);
  std::iota(groups.begin(), groups.end(), std::size_t{0});
  for (bool changed = fine.total > 0; changed;) {
    changed = Moves(fine, groups).run();
    const std::size_t count = renumber(groups);
    const Neighbours coarse = merged(fine, groups, count);
    Groups together(count);
    std::iota(together.begin(), together.end(), std::size_t{0});
    changed |= Moves(coarse, together).run();
    for (std::size_t& group : groups) group = together[group];
    renumber(groups);
  }
  return groups;
}

}  // namespace absorb
