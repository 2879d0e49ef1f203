#include "compensation/graph/queries/view.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "compensation/recovery/recovery.h"
#include "core/error.h"
#include "core/numbers.h"
#include "statistics/summary.h"

namespace absorb {
namespace {

std::vector<std::string> listed(const std::set<std::string>& names) {
  return {names.begin(), names.end()};
}

std::string described(const EdgeFilter& filter) {
  std::string text;
  if (filter.arm) text += " of arm " + *filter.arm;
  if (filter.target) text += " of target " + *filter.target;
  if (filter.measure) text += " of measure " + *filter.measure;
  if (filter.seed) text += " of seed " + std::to_string(*filter.seed);
  return text;
}

/// What there is of one property among edges.
std::set<std::string> values_of(const std::vector<GraphEdge>& edges, std::string GraphEdge::*member) {
  std::set<std::string> found;
  for (const GraphEdge& edge : edges) found.insert(edge.*member);
  return found;
}

void require_one(const std::vector<GraphEdge>& edges, std::string GraphEdge::*member, const char* what) {
  const auto found = values_of(edges, member);
  require(found.size() == 1, "this graph has several {0}s: choose one by --{0}: {1}", what, join(listed(found)));
}

std::string chosen_measure(const std::vector<GraphEdge>& edges, std::span<const std::string_view> usual) {
  const auto found = values_of(edges, &GraphEdge::measure);
  for (const std::string_view name : usual)
    if (found.contains(std::string(name))) return std::string(name);
  require(found.size() == 1, "this query usually asks edges of {}, and there are none: choose one by --measure: {}",
          join(std::vector<std::string>(usual.begin(), usual.end())), join(listed(found)));
  return *found.begin();
}

/// The edges that the filter leaves, of one arm, target and measure.
std::vector<GraphEdge> chosen(const CompensationGraph& graph, EdgeFilter filter,
                              std::span<const std::string_view> usual) {
  filter.from.reset();
  std::vector<GraphEdge> edges = graph.edges(filter);
  if (edges.empty()) {
    const auto all = graph.edges();
    require(!all.empty(), "this graph has no edges yet; `absorb compensate DIR` measures them");
    user_error("this graph has no edges{}; it has the arms {}, the targets {}, the measures {}", described(filter),
               join(listed(values_of(all, &GraphEdge::arm))), join(listed(values_of(all, &GraphEdge::target))),
               join(listed(values_of(all, &GraphEdge::measure))));
  }
  require_one(edges, &GraphEdge::arm, "arm");
  require_one(edges, &GraphEdge::target, "target");
  const std::string measure = filter.measure ? *filter.measure : chosen_measure(edges, usual);
  std::erase_if(edges, [&](const GraphEdge& edge) { return edge.measure != measure; });
  return edges;
}

void fill_links(GraphView& view, const std::vector<GraphEdge>& edges) {
  std::set<int64_t> seeds;
  for (const GraphEdge& edge : edges) seeds.insert(edge.seed);
  view.seeds.assign(seeds.begin(), seeds.end());
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> known;
  std::vector<std::size_t> link_of(edges.size(), no_vertex);
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const Link link{view.places.at(edges[i].from), view.places.at(edges[i].to)};
    if (link.from == link.to) continue;
    const auto [place, is_new] = known.try_emplace({link.from, link.to}, view.links.size());
    if (is_new) view.links.push_back(link);
    link_of[i] = place->second;
  }
  const std::vector<double> none(view.links.size(), nan);
  view.by_seed.assign(view.seeds.size(), LinkValues{none, none});
  for (std::size_t i = 0; i < edges.size(); ++i) {
    if (link_of[i] == no_vertex) continue;
    const auto seed = std::ranges::lower_bound(view.seeds, edges[i].seed) - view.seeds.begin();
    LinkValues& values = view.by_seed[static_cast<std::size_t>(seed)];
    values.value[link_of[i]] = edges[i].value;
    values.error[link_of[i]] = edges[i].standard_error;
  }
}

}  // namespace

std::vector<std::string> GraphView::names() const {
  std::vector<std::string> names;
  for (const GraphNode& node : nodes) names.push_back(node.name);
  return names;
}

std::size_t GraphView::place(const std::string& name) const {
  const auto found = places.find(name);
  require(found != places.end(), "this graph has no node {}; it has {}", name, join(names()));
  return found->second;
}

GraphView view_of(const CompensationGraph& graph, const EdgeFilter& filter, std::span<const std::string_view> usual) {
  const std::vector<GraphEdge> edges = chosen(graph, filter, usual);
  GraphView view;
  view.arm = edges.front().arm;
  view.target = edges.front().target;
  view.measure = edges.front().measure;
  view.info = measure_info(view.measure);
  view.nodes = graph.nodes();
  for (std::size_t i = 0; i < view.nodes.size(); ++i) view.places[view.nodes[i].name] = i;
  fill_links(view, edges);
  require(!view.links.empty(), "{} has no edges between nodes, only numbers of single ones: ask of another --measure",
          view.measure);
  view.mean = mean_of(view.by_seed, view.links.size());
  return view;
}

LinkGraph link_graph(const GraphView& view, const LinkValues& values, Links keep, std::size_t extra) {
  LinkGraph result{{view.nodes.size() + extra, {}}, {}};
  for (std::size_t i = 0; i < view.links.size(); ++i) {
    const double value = values.value[i];
    if (!(value > 0) || (keep == Links::above_noise && !(value > noise_errors * values.error[i]))) continue;
    const auto [from, to] = view.links[i];
    result.graph.edges.push_back({from, to, value});
    result.link.push_back(i);
    if (view.info.directed) continue;
    result.graph.edges.push_back({to, from, value});
    result.link.push_back(i);
  }
  return result;
}

LinkValues shuffled(const LinkValues& values, std::span<const std::size_t> among, Random& random) {
  LinkValues result = values;
  for (std::size_t i = 0; i + 1 < among.size(); ++i) {
    const std::size_t other = among[i + random.below(among.size() - i)];
    std::swap(result.value[among[i]], result.value[other]);
    std::swap(result.error[among[i]], result.error[other]);
  }
  return result;
}

LinkValues mean_of(const std::vector<LinkValues>& by_seed, std::size_t links) {
  LinkValues mean{std::vector<double>(links, nan), std::vector<double>(links, nan)};
  std::vector<double> values;
  for (std::size_t link = 0; link < links; ++link) {
    values.clear();
    for (const LinkValues& seed : by_seed) {
      if (std::isnan(seed.value[link])) continue;
      values.push_back(seed.value[link]);
      mean.error[link] = seed.error[link];
    }
    const Summary summary = summarize(values);
    mean.value[link] = summary.mean;
    if (summary.n > 1) mean.error[link] = summary.sd / std::sqrt(static_cast<double>(summary.n));
  }
  return mean;
}

std::vector<std::vector<std::size_t>> kinds_of_links(const GraphView& view) {
  using Kind = std::tuple<std::string, std::string, int64_t>;  // part of an end outside the blocks, and the distance
  std::map<Kind, std::vector<std::size_t>> kinds;
  for (std::size_t i = 0; i < view.links.size(); ++i) {
    const GraphNode &from = view.nodes[view.links[i].from], &to = view.nodes[view.links[i].to];
    const auto outside = [](const GraphNode& node) { return node.layer < 0 ? node.part : std::string(); };
    Kind kind{outside(from), outside(to), from.layer < 0 || to.layer < 0 ? 0 : to.layer - from.layer};
    auto& [one, other, distance] = kind;
    if (!view.info.directed) {
      if (other < one) std::swap(one, other);
      distance = std::abs(distance);
    }
    kinds[kind].push_back(i);
  }
  std::vector<std::vector<std::size_t>> result;
  for (auto& [kind, links] : kinds) result.push_back(std::move(links));
  return result;
}

}  // namespace absorb
