#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <unordered_map>

#include "compensation/graph/queries/question.h"
#include "core/error.h"
#include "core/settings.h"

namespace absorb {
namespace {

struct Ends {
  std::optional<std::size_t> from, to;
  std::size_t count = 0;
};

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

std::vector<StrongPath> paths_in(const GraphView& view, const LinkValues& values, const Ends& ends) {
  return strongest_paths(link_graph(view, values, Keep::positive).graph, ends.count, ends.from, ends.to);
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

/// The same of the paths that a random-edge graph has, rank by rank; 0 where it has fewer.
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

Ends ends_of(const GraphView& view, const QueryRequest& request) {
  Ends ends{{}, {}, request.count};
  if (request.from) ends.from = view.place(*request.from);
  if (request.to) ends.to = view.place(*request.to);
  require(!request.from || request.from != request.to, "a path needs two ends, and --from and --to are both {}",
          request.from.value_or(""));
  require(request.count > 0, "ask for at least one path: -k 1");
  return ends;
}

void require_paths(const GraphView& view, const QueryRequest& request, const std::vector<StrongPath>& paths) {
  const std::string from = request.from ? " from " + *request.from : "", to = request.to ? " to " + *request.to : "";
  require(!paths.empty(), "no path{}{}: no edges of {} with a value above 0 connect them in {} {}", from, to,
          view.measure, view.arm, view.target);
}

}  // namespace

Question paths_question(const GraphView& view, const QueryRequest& request) {
  const Ends ends = ends_of(view, request);
  const auto found = paths_in(view, view.mean, ends);
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
  question.random = [&view, ends, count = found.size()](const LinkValues& values) {
    return strengths_by_rank(paths_in(view, values, ends), count);
  };
  question.permuted = all_links(view);
  question.passes = ends.from && ends.to ? 20 : 10;
  question.whole_names = {fmt::format("mean weakest edge of the {} strongest paths", ends.count),
                          fmt::format("mean strength of the {} strongest paths", ends.count)};
  question.whole = [&view, ends](const LinkValues& values) {
    const Numbers ranks = strengths_by_rank(paths_in(view, values, ends), ends.count);
    double strengths = 0, weakest = 0;
    for (std::size_t i = 0; i < ends.count; ++i) {
      strengths += ranks[2 * i] / static_cast<double>(ends.count);
      weakest += ranks[2 * i + 1] / static_cast<double>(ends.count);
    }
    return Numbers{weakest, strengths};
  };
  question.notes = {"Strength: product over the edges of value / largest value of the graph.",
                    "The baseline of the first path is the first path of each random-edge graph, and so on."};
  if (found.size() < request.count)
    question.notes.push_back(fmt::format("There are only {} of the {} paths.", found.size(), request.count));
  if (!ends.from || !ends.to)
    question.notes.push_back("A beginning of a path is never weaker than the path: with an open end short ones lead.");
  return question;
}

}  // namespace absorb
