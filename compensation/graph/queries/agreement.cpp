#include "compensation/graph/queries/agreement.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "compensation/graph/queries/question.h"
#include "core/error.h"
#include "core/numbers.h"
#include "core/settings.h"
#include "statistics/counting/ranks.h"

namespace absorb {
namespace {

/// Places of single parts, by layer and part.
class Parts {
 public:
  explicit Parts(const std::vector<GraphNode>& nodes) : nodes_(nodes) {
    for (std::size_t i = 0; i < nodes.size(); ++i)
      if (nodes[i].part != "block" && nodes[i].part.find('+') == std::string::npos)
        places_[nodes[i].layer][nodes[i].part] = i;
  }
  std::vector<std::size_t> of(std::size_t node) const {
    std::vector<std::size_t> result;
    const auto layer = places_.find(nodes_[node].layer);
    if (layer == places_.end()) return result;
    if (nodes_[node].part == "block") {
      for (const auto& [part, place] : layer->second) result.push_back(place);
      return result;
    }
    std::istringstream in(nodes_[node].part);
    for (std::string part; std::getline(in, part, '+');)
      if (const auto found = layer->second.find(part); found != layer->second.end()) result.push_back(found->second);
    return result;
  }

 private:
  const std::vector<GraphNode>& nodes_;
  std::map<int64_t, std::map<std::string, std::size_t>> places_;
};

/// For each measured link the predicted links it is made of.
std::vector<std::vector<std::size_t>> matched_links(const GraphView& predicted, const GraphView& measured) {
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> known;
  for (std::size_t i = 0; i < predicted.links.size(); ++i) {
    const auto [from, to] = predicted.links[i];
    known[{from, to}] = i;
    if (!predicted.info.directed) known[{to, from}] = i;
  }
  const Parts parts(predicted.nodes);
  std::vector<std::vector<std::size_t>> result(measured.links.size());
  for (std::size_t i = 0; i < measured.links.size(); ++i) {
    const auto [from, to] = measured.links[i];
    if (const auto same = known.find({from, to}); same != known.end()) {
      result[i] = {same->second};
      continue;
    }
    std::set<std::size_t> links;  // without direction a pair of parts could be met from both ends
    const auto ends = parts.of(to);
    for (std::size_t a : parts.of(from))
      for (std::size_t b : ends)
        if (const auto found = known.find({a, b}); found != known.end()) links.insert(found->second);
    result[i].assign(links.begin(), links.end());
  }
  return result;
}

class Pairs {
 public:
  Pairs(const GraphView& predicted, const GraphView& measured)
      : measure_(predicted.measure), matched_(matched_links(predicted, measured)) {}

  /// The correlation, and of how many pairs.
  std::pair<double, std::size_t> correlation(const LinkValues& predicted, const LinkValues& measured) const {
    std::vector<double> a, b, edges;
    for (std::size_t i = 0; i < matched_.size(); ++i) {
      edges.clear();
      for (std::size_t link : matched_[i])
        if (!std::isnan(predicted.value[link])) edges.push_back(predicted.value[link]);
      if (edges.empty() || std::isnan(measured.value[i])) continue;
      a.push_back(predicted_edge(measure_, edges));
      b.push_back(measured.value[i]);
    }
    return {spearman(a, b), a.size()};
  }
  /// Predicted links that any pair uses.
  std::vector<std::size_t> used() const {
    std::set<std::size_t> links;
    for (const auto& each : matched_) links.insert(each.begin(), each.end());
    return {links.begin(), links.end()};
  }

 private:
  std::string measure_;
  std::vector<std::vector<std::size_t>> matched_;  // [measured links]
};

RankAgreement agreement_of(const GraphView& predicted, const GraphView& measured, std::optional<int64_t> draws) {
  const Pairs pairs(predicted, measured);
  RankAgreement result{predicted.measure, measured.measure, 0, nan, {}, {}, {}};
  std::tie(result.value, result.pairs) = pairs.correlation(predicted.mean, measured.mean);
  for (std::size_t i = 0; i < predicted.seeds.size(); ++i) {
    const auto same = std::ranges::find(measured.seeds, predicted.seeds[i]);
    if (same == measured.seeds.end()) continue;
    result.seeds.push_back(*same);
    const auto& values = measured.by_seed[static_cast<std::size_t>(same - measured.seeds.begin())];
    result.by_seed.push_back(pairs.correlation(predicted.by_seed[i], values).first);
  }
  const auto used = pairs.used();
  Random random(stream_key(0, "random edges of agreement"));
  const double work = 10 * static_cast<double>(predicted.links.size() + measured.links.size());
  for (int64_t draw = result.pairs < 2 ? 0 : baseline_draws(work, draws); draw > 0; --draw)
    result.random.push_back(pairs.correlation(shuffled(predicted.mean, used, random), measured.mean).first);
  return result;
}

/// Views of those of `names` that there are.
std::vector<GraphView> views_of(const CompensationGraph& graph, const EdgeFilter& filter,
                                const std::vector<std::string>& names, const std::set<std::string>& there) {
  const bool narrowed = filter.measure && std::ranges::find(names, *filter.measure) != names.end();
  std::vector<GraphView> views;
  for (const std::string& name : names) {
    if (!there.contains(name) || (narrowed && *filter.measure != name)) continue;
    EdgeFilter one = filter;
    one.measure = name;
    views.push_back(view_of(graph, one, {}));
  }
  return views;
}

}  // namespace

double predicted_edge(const std::string& measure, std::span<const double> part_edges) {
  if (part_edges.empty()) return nan;
  double sum = 0, squares = 0;
  for (double value : part_edges) {
    sum += value;
    squares += value * std::abs(value);
  }
  return measure_info(measure).sums ? sum : std::copysign(std::sqrt(std::abs(squares)), squares);
}

std::vector<RankAgreement> agreements(const CompensationGraph& graph, const EdgeFilter& filter,
                                      std::optional<int64_t> draws) {
  EdgeFilter any = filter;
  any.measure.reset();
  any.from.reset();
  std::set<std::string> there;
  for (const GraphEdge& edge : graph.edges(any)) there.insert(edge.measure);
  if (there.empty()) view_of(graph, any, {});  // says what there is
  const std::vector<std::string> predicted_measures = edge_names(MeasureRole::predicts),
                                 measured_measures = edge_names(MeasureRole::measures);
  const auto predicted = views_of(graph, filter, predicted_measures, there),
             measured = views_of(graph, filter, measured_measures, there);
  require(!predicted.empty() && !measured.empty(),
          "agreement needs predicted edges ({}) and measured ones ({}) of one arm and target, and there are those of "
          "{}: `absorb compensate DIR --measures` makes them",
          join(predicted_measures), join(measured_measures), join({there.begin(), there.end()}));
  std::vector<RankAgreement> result;
  for (const GraphView& b : measured)
    for (const GraphView& a : predicted) result.push_back(agreement_of(a, b, draws));
  return result;
}

QueryResult agreement(const CompensationGraph& graph, const QueryRequest& request) {
  QueryResult result{"agreement", "Do the cheap predictions rank the edges as the measurement does?"};
  EdgeFilter one = request.edges;
  one.from.reset();
  const auto found = agreements(graph, one, request.draws);
  const auto edges = graph.edges({.arm = one.arm, .target = one.target, .seed = one.seed});
  result.arm = edges.front().arm;
  result.target = edges.front().target;
  result.columns = {{"rank correlation", "1"}, {"pairs", "1"}};
  std::set<int64_t> seeds;
  std::set<std::string> measures;
  for (const RankAgreement& each : found) {
    seeds.insert(each.seeds.begin(), each.seeds.end());
    measures.insert({each.predicted, each.measured});
    result.draws = std::max(result.draws, static_cast<int64_t>(each.random.size()));
    result.rows.push_back(
        {each.predicted + " ~ " + each.measured,
         {number_of(each.value, each.by_seed, each.random), {.value = static_cast<double>(each.pairs)}}});
    if (each.pairs < 2)
      result.notes.push_back(each.predicted + " and " + each.measured + " have no two pairs in common.");
  }
  result.seeds.assign(seeds.begin(), seeds.end());
  result.measure = join({measures.begin(), measures.end()}, "; ");
  result.notes.push_back(
      "A group's prediction is made of its parts': summed for first_order, else the root of the sum of "
      "squares; the baseline shuffles the parts' edges, so that it holds what the size of groups "
      "gives by itself.");
  return result;
}

}  // namespace absorb
