// hubs, containment and groups: descriptions without a verdict.
#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <set>

#include "compensation/graph/communities.h"
#include "compensation/graph/queries/question.h"
#include "core/error.h"
#include "core/numbers.h"
#include "core/settings.h"

namespace absorb {
namespace {

constexpr double most_betweenness_work = 1e7;  // nodes x links: 0.15 s for each graph
constexpr std::size_t most_members = 12;       // named in a group's label

struct Strengths {
  std::vector<double> out, in;  // [nodes]
};

Strengths strengths_of(const GraphView& view, const LinkValues& values) {
  Strengths result{std::vector<double>(view.nodes.size()), std::vector<double>(view.nodes.size())};
  for (std::size_t i = 0; i < view.links.size(); ++i) {
    const double value = values.value[i];
    if (!(value > 0)) continue;
    const auto [from, to] = view.links[i];
    result.out[from] += value;
    result.in[to] += value;
    if (view.info.directed) continue;
    result.out[to] += value;
    result.in[from] += value;
  }
  return result;
}

std::size_t linked_nodes(const GraphView& view) {
  std::set<std::size_t> nodes;
  for (const Link& link : view.links) nodes.insert({link.from, link.to});
  return nodes.size();
}

/// [nodes], share of the ordered pairs of other nodes.
std::vector<double> betweenness_shares(const GraphView& view, const LinkValues& values, std::size_t nodes) {
  std::vector<double> result = betweenness(link_graph(view, values, Links::positive).graph);
  const auto n = static_cast<double>(nodes);
  for (double& value : result) value = nodes > 2 ? value / ((n - 1) * (n - 2)) : 0;
  return result;
}

std::vector<std::size_t> strongest_nodes(const GraphView& view, std::size_t count) {
  const Strengths strengths = strengths_of(view, view.mean);
  std::vector<std::size_t> nodes(view.nodes.size());
  std::iota(nodes.begin(), nodes.end(), std::size_t{0});
  const auto sum = [&](std::size_t node) { return strengths.out[node] + strengths.in[node]; };
  std::erase_if(nodes, [&](std::size_t node) { return !(sum(node) > 0); });
  std::ranges::stable_sort(nodes, [&](std::size_t a, std::size_t b) { return sum(a) > sum(b); });
  if (nodes.size() > count) nodes.resize(count);
  return nodes;
}

/// [vertices]: how many vertices lie under each in the dominator tree; `reached` counts them all but the root.
struct Dominated {
  std::vector<std::size_t> below;
  std::size_t reached = 0;
};

Dominated dominated_of(const WeightedGraph& graph, std::size_t root) {
  const auto parents = dominators(graph, root);
  std::vector<std::size_t> children(graph.vertices);  // not yet counted
  Dominated result{std::vector<std::size_t>(graph.vertices), 0};
  for (std::size_t parent : parents) {
    if (parent == no_vertex) continue;
    ++children[parent];
    ++result.reached;
  }
  for (std::size_t leaf = 0; leaf < graph.vertices; ++leaf) {
    if (parents[leaf] == no_vertex || children[leaf] != 0) continue;
    for (std::size_t vertex = leaf; parents[vertex] != no_vertex;) {
      const std::size_t parent = parents[vertex];
      result.below[parent] += 1 + result.below[vertex];
      if (--children[parent] != 0) break;
      vertex = parent;
    }
  }
  return result;
}

/// [nodes]: share of what a source reaches that lies behind the node on every path.
std::vector<double> contained_shares(const GraphView& view, const LinkValues& values, const Source& source) {
  LinkGraph links = link_graph(view, values, Links::above_noise, 1);
  const std::size_t root = view.nodes.size();
  for (std::size_t vertex : source.vertices) links.graph.edges.push_back({root, vertex, 1});
  const Dominated dominated = dominated_of(links.graph, root);
  std::vector<double> shares(view.nodes.size());
  const auto others = static_cast<double>(dominated.reached - source.vertices.size());
  for (std::size_t node = 0; node < shares.size(); ++node)
    if (others > 0 && std::ranges::find(source.vertices, node) == source.vertices.end())
      shares[node] = static_cast<double>(dominated.below[node]) / others;
  return shares;
}

struct ContainmentRow {
  std::size_t source = 0;
  std::size_t node = no_vertex;  // no_vertex: whichever has the most behind it
};

/// Of each source what lies behind any one node, and the nodes with the most behind them, at most `count`.
std::vector<ContainmentRow> containment_rows(const GraphView& view, const std::vector<Source>& sources,
                                             std::size_t count) {
  std::vector<ContainmentRow> rows;
  for (std::size_t source = 0; source < sources.size(); ++source) {
    const auto shares = contained_shares(view, view.mean, sources[source]);
    std::vector<std::size_t> nodes;
    for (std::size_t node = 0; node < shares.size(); ++node)
      if (shares[node] > 0) nodes.push_back(node);
    std::ranges::stable_sort(nodes, [&](std::size_t a, std::size_t b) { return shares[a] > shares[b]; });
    rows.push_back({source, no_vertex});
    for (std::size_t i = 0; i < std::min(count, nodes.size()); ++i) rows.push_back({source, nodes[i]});
  }
  return rows;
}

/// [groups x (members, inside, modularity)], of the whole graph first.
Numbers division_numbers(const WeightedGraph& graph, const std::vector<std::size_t>& groups, std::size_t shown) {
  const std::size_t count = groups.empty() ? 0 : *std::ranges::max_element(groups) + 1;
  std::vector<double> members(count), inside(count), strength(count);
  std::set<std::size_t> linked;
  double total = 0;
  for (const auto& [from, to, weight] : graph.edges) {
    linked.insert({from, to});
    strength[groups[from]] += weight / 2;
    strength[groups[to]] += weight / 2;
    inside[groups[from]] += groups[from] == groups[to] ? weight : 0;
    total += weight;
  }
  for (std::size_t group : groups) ++members[group];
  const double defined = total > 0 ? 1 : nan;
  Numbers result{static_cast<double>(linked.size()), 0, 0};
  for (std::size_t group = 0; group < count; ++group) {
    const double share = total > 0 ? strength[group] / total : 0;
    const double modularity = total > 0 ? inside[group] / total - share * share : nan;
    result[1] += defined * inside[group] / total;
    result[2] += modularity;
    if (group < shown) result.insert(result.end(), {members[group], inside[group] / strength[group], modularity});
  }
  return result;
}

/// Renumbered by falling size, equal ones in the order of their first member.
std::vector<std::size_t> by_size(std::vector<std::size_t> groups) {
  std::map<std::size_t, std::size_t> sizes;
  for (std::size_t group : groups) ++sizes[group];
  std::vector<std::size_t> order;
  for (const auto& [group, size] : sizes) order.push_back(group);
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return sizes[a] > sizes[b]; });
  std::vector<std::size_t> rank(groups.size());
  for (std::size_t i = 0; i < order.size(); ++i) rank[order[i]] = i;
  for (std::size_t& group : groups) group = rank[group];
  return groups;
}

std::string group_label(const GraphView& view, const std::vector<std::size_t>& groups, std::size_t group) {
  std::vector<std::string> names;
  std::size_t more = 0;
  for (std::size_t node = 0; node < groups.size(); ++node) {
    if (groups[node] != group) continue;
    if (names.size() < most_members)
      names.push_back(view.nodes[node].name);
    else
      ++more;
  }
  return join(names) + (more > 0 ? fmt::format(" and {} more", more) : "");
}

}  // namespace

Question hubs_question(const GraphView& view, const QueryRequest& request) {
  const auto nodes = strongest_nodes(view, request.count);
  const std::size_t linked = linked_nodes(view);
  const double work = static_cast<double>(linked) * static_cast<double>(view.links.size());
  const bool between = work <= most_betweenness_work;
  Question question{"Which components make up for much, and which are made up for?", true};
  const std::string unit(view.info.unit);
  question.columns = {{"made up by others", unit}, {"makes up for others", unit}, {"betweenness", "1"}};
  for (std::size_t node : nodes) question.labels.push_back(view.nodes[node].name);
  question.numbers = [&view, nodes, linked, between](const LinkValues& values) {
    const Strengths strengths = strengths_of(view, values);
    const auto shares =
        between ? betweenness_shares(view, values, linked) : std::vector<double>(view.nodes.size(), nan);
    Numbers result;
    for (std::size_t node : nodes) result.insert(result.end(), {strengths.out[node], strengths.in[node], shares[node]});
    return result;
  };
  question.permuted = all_links(view);
  question.passes = between ? static_cast<double>(linked) : 2;
  question.whole_names = {"effective number of components made up for", "effective number that make up"};
  question.whole = [&view](const LinkValues& values) {
    const Strengths strengths = strengths_of(view, values);
    return Numbers{effective_number(strengths.out), effective_number(strengths.in)};
  };
  question.notes = {"Rows by falling sum of both strengths; p is of each row alone, not of having been chosen.",
                    "Betweenness: share of shortest paths over lengths 1 / value, of all ordered pairs of others."};
  if (!between)
    question.notes.push_back(
        fmt::format("Betweenness is left out: {} nodes x {} edges are too many.", linked, view.links.size()));
  return question;
}

Question containment_question(const GraphView& view, const QueryRequest& request) {
  const auto sources = std::make_shared<const std::vector<Source>>(sources_of(view, request));
  Question question{"Is there a component that everything made up for a router passes through?", true};
  question.notes = {
      "The largest share of what a source reaches that lies behind one component on every path (dominators), over "
      "edges "
      "above their noise; 0 where every component can be gone round."};
  const auto rows = containment_rows(view, *sources, request.count);
  question.columns = {{"contained", "1"}};
  for (const auto& [source, node] : rows)
    question.labels.push_back((*sources)[source].label + " through " +
                              (node == no_vertex ? "any one component" : view.nodes[node].name));
  question.numbers = [&view, sources, rows](const LinkValues& values) {
    std::map<std::size_t, std::vector<double>> shares;  // by source
    Numbers result;
    for (const auto& [source, node] : rows) {
      if (!shares.contains(source)) shares[source] = contained_shares(view, values, (*sources)[source]);
      result.push_back(node == no_vertex ? std::ranges::max(shares[source]) : shares[source][node]);
    }
    return result;
  };
  question.permuted = all_links(view);
  question.passes = 10 * static_cast<double>(sources->size());
  question.whole_names = {"largest share behind one component"};
  question.whole = [&view, sources](const LinkValues& values) {
    return Numbers{std::ranges::max(contained_shares(view, values, sources->front()))};
  };
  return question;
}

Question groups_question(const GraphView& view, const QueryRequest& request) {
  const auto graph = link_graph(view, view.mean, Links::above_noise).graph;
  const auto groups = by_size(communities(graph));
  std::size_t shown = 0;
  Question question{"Which components make up for each other more than for the rest?", true};
  question.labels = {"all"};
  for (; shown < request.count && std::ranges::count(groups, shown) > 1; ++shown)
    question.labels.push_back(group_label(view, groups, shown));
  question.columns = {{"members", "1"}, {"inside", "1"}, {"modularity", "1"}};
  question.fixed = {true, false, false};
  question.numbers = [&view, groups, shown](const LinkValues& values) {
    return division_numbers(link_graph(view, values, Links::above_noise).graph, groups, shown);
  };
  const auto found_again = [&view](const LinkValues& values) {
    const WeightedGraph other = link_graph(view, values, Links::above_noise).graph;
    return division_numbers(other, communities(other), 0);
  };
  question.random = [again = question.numbers, found_again](const LinkValues& values) {
    Numbers result = again(values);
    std::ranges::copy(found_again(values), result.begin());
    return result;
  };
  question.permuted = all_links(view);
  question.passes = 20;
  question.whole_names = {"modularity"};
  question.whole = [found_again](const LinkValues& values) { return Numbers{found_again(values)[2]}; };
  question.notes = {"Communities by modularity over edges above their noise, whatever their direction.",
                    "The baseline of the whole is the modularity of the groups found in each random-edge graph; of a "
                    "group, that of the same members."};
  return question;
}

}  // namespace absorb
