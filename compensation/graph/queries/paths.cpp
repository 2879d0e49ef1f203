#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <unordered_map>

#include "compensation/graph/queries/path_null.h"
#include "compensation/graph/queries/question.h"
#include "core/error.h"
#include "core/settings.h"

namespace absorb {
namespace {

/// Places of the links on one path.
using LinkPath = std::vector<std::size_t>;

class LinkFinder {
 public:
  explicit LinkFinder(const GraphView& view) : nodes_(view.nodes.size()) {
    for (std::size_t i = 0; i < view.links.size(); ++i) {
      const auto [from, to] = view.links[i];
      found_[from * nodes_ + to] = i;
      if (!view.info.directed) found_[to * nodes_ + from] = i;
    }
  }
  LinkPath links(const StrongPath& path) const {
    LinkPath result;
    for (std::size_t at = 1; at < path.vertices.size(); ++at)
      result.push_back(found_.at(path.vertices[at - 1] * nodes_ + path.vertices[at]));
    return result;
  }

 private:
  std::size_t nodes_;
  std::unordered_map<std::size_t, std::size_t> found_;
};

/// How many are asked for, and between which ends.
struct Asked : PathEnds {
  std::size_t count = 0;
};

std::vector<StrongPath> paths_in(const GraphView& view, const LinkValues& values, const Asked& asked) {
  return strongest_paths(link_graph(view, values, Links::positive).graph, asked.count, asked.from, asked.to);
}

/// The strongest paths, and of each number of edges that none of them has, up to those that are tested, the strongest:
/// among all paths short ones lead, and whether strong edges meet is seen in longer ones.
std::vector<StrongPath> listed_paths(const GraphView& view, const Asked& asked) {
  std::vector<StrongPath> paths = paths_in(view, view.mean, asked), others;
  const WeightedGraph graph = link_graph(view, view.mean, Links::positive).graph;
  for (StrongPath& path : strongest_by_edges(graph, most_tested_edges, asked, PathStrength::product))
    if (!path.vertices.empty() && std::ranges::none_of(paths, [&](const StrongPath& known) {
          return known.vertices.size() == path.vertices.size();
        }))
      others.push_back(std::move(path));
  std::ranges::stable_sort(others, std::greater<>(), &StrongPath::strength);
  paths.insert(paths.end(), others.begin(), others.end());
  return paths;
}

/// [paths x (strength, weakest)] of known paths in other values; 0 where one of the edges isn't above 0.
Numbers strengths_of(const std::vector<LinkPath>& paths, const LinkValues& values) {
  double largest = 0;
  for (double value : values.value) largest = value > largest ? value : largest;
  Numbers result;
  for (const LinkPath& path : paths) {
    double strength = 1, weakest = std::numeric_limits<double>::infinity();
    for (std::size_t link : path) {
      const double value = values.value[link] > 0 ? values.value[link] : 0;
      strength *= largest > 0 ? value / largest : 0;
      weakest = std::min(weakest, value);
    }
    result.insert(result.end(), {strength, weakest});
  }
  return result;
}

/// The same of the paths that a graph has, rank by rank; 0 where it has fewer.
Numbers strengths_by_rank(const std::vector<StrongPath>& paths, std::size_t count) {
  Numbers result(2 * count);
  for (std::size_t i = 0; i < std::min(count, paths.size()); ++i) {
    result[2 * i] = paths[i].strength;
    result[2 * i + 1] = paths[i].weakest;
  }
  return result;
}

std::string label_of(const GraphView& view, const StrongPath& path) {
  std::vector<std::string> names;
  for (std::size_t vertex : path.vertices) names.push_back(view.nodes[vertex].name);
  return join(names, view.info.directed ? " -> " : " - ");
}

Asked asked_of(const GraphView& view, const QueryRequest& request) {
  Asked asked{{}, request.count};
  if (request.from) asked.from = view.place(*request.from);
  if (request.to) asked.to = view.place(*request.to);
  require(!request.from || request.from != request.to, "a path needs two ends, and --from and --to are both {}",
          request.from.value_or(""));
  require(request.count > 0, "ask for at least one path: -k 1");
  return asked;
}

/// Weakest edge and strength, the means over the strongest paths.
Numbers means_of_strongest(const GraphView& view, const LinkValues& values, const Asked& asked) {
  const Numbers ranks = strengths_by_rank(paths_in(view, values, asked), asked.count);
  double strengths = 0, weakest = 0;
  for (std::size_t i = 0; i < asked.count; ++i) {
    strengths += ranks[2 * i] / static_cast<double>(asked.count);
    weakest += ranks[2 * i + 1] / static_cast<double>(asked.count);
  }
  return {weakest, strengths};
}

std::vector<std::string> notes_of(const GraphView& view, const Asked& asked, std::size_t found) {
  std::vector<std::string> notes = {
      "Strength: product over the edges of value / largest value of the graph.",
      fmt::format("Random: the strongest path of as many edges where values are exchanged among edges of one kind "
                  "(equally many layers apart). p is adjusted over all paths of up to {} edges.",
                  most_tested_edges),
      "p of the strength: do strong edges meet? Exchanged alike in all seeds."};
  if (view.seeds.size() > 1)
    notes.emplace_back(
        "p of the weakest edge: are the same edges strong in every seed? Each seed exchanged by itself.");
  if (!asked.from && !asked.to)
    notes.emplace_back(
        "One edge meets none, and its strength has no p. A beginning of a path is never weaker than the path, so that "
        "short ones lead; the strongest of each number of edges stand behind them.");
  if (found < asked.count) notes.push_back(fmt::format("There are only {} of the {} paths.", found, asked.count));
  return notes;
}

void require_paths(const GraphView& view, const QueryRequest& request, const std::vector<StrongPath>& paths) {
  const std::string from = request.from ? " from " + *request.from : "", to = request.to ? " to " + *request.to : "";
  require(!paths.empty(), "no path{}{}: no edges of {} with a value above 0 connect them in {} {}", from, to,
          view.measure, view.arm, view.target);
}

}  // namespace

Question paths_question(const GraphView& view, const QueryRequest& request) {
  const Asked asked = asked_of(view, request);
  const auto found = listed_paths(view, asked);
  require_paths(view, request, found);
  const LinkFinder finder(view);
  auto links = std::make_shared<std::vector<LinkPath>>();
  Question question{"Over which ways is damage made up for most?"};
  for (const StrongPath& path : found) {
    links->push_back(finder.links(path));
    question.labels.push_back(label_of(view, path));
  }
  question.columns = {{"strength", "1"}, {"weakest edge", std::string(view.info.unit)}};
  question.numbers = [links](const LinkValues& values) { return strengths_of(*links, values); };
  question.null = [&view, asked, found](int64_t draws, const Random& random) {
    return null_of_paths(view, asked, found, draws, random);
  };
  question.permuted = all_links(view);
  question.passes = 20;
  question.whole_names = {fmt::format("mean weakest edge of the {} strongest paths", asked.count),
                          fmt::format("mean strength of the {} strongest paths", asked.count)};
  question.whole = [&view, asked](const LinkValues& values) { return means_of_strongest(view, values, asked); };
  question.notes = notes_of(view, asked, found.size());
  return question;
}

}  // namespace absorb
