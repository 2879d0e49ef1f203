// capacity and cut: the layer-ordered graph as a net of pipes.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <sstream>

#include "compensation/graph/queries/question.h"
#include "core/error.h"
#include "core/settings.h"
#include "tensors/parameters.h"

namespace absorb {
namespace {

constexpr std::size_t most_cut_rows = 100;

/// Where a part stands among those of its layer, in the order in which a forward pass meets them. A node of several
/// parts stands where its last does; a whole block comes after its layer's parts.
int64_t stage(const std::string& parts) {
  static const std::vector<std::vector<std::string>> stages = {
      {"norm"}, {"attention_router"}, {"q", "k", "v"}, {"o"}, {"expert_router"}, {"feed_forward", "expert"}, {"block"}};
  int64_t last = -1;
  std::istringstream in(parts);
  for (std::string part; std::getline(in, part, '+');)
    for (std::size_t i = 0; i < stages.size(); ++i)
      if (std::ranges::find(stages[i], part) != stages[i].end()) last = std::max(last, static_cast<int64_t>(i));
  return last;
}

bool is_final(const GraphNode& node) {
  return node.layer < 0 && node.part != "embedding";
}

/// By layer, then by stage; the embedding before all layers, the final nodes behind them.
std::pair<int64_t, int64_t> order_of(const GraphNode& node) {
  return is_final(node) ? std::pair{std::numeric_limits<int64_t>::max(), int64_t{0}}
                        : std::pair{node.layer, stage(node.part)};
}

struct Network {
  std::vector<Source> sources;
  std::vector<std::size_t> sinks;
  std::vector<bool> forward, backward;  // [links]: leads on from `from` to `to`, or the other way
};

std::vector<std::size_t> sinks_of(const GraphView& view, const QueryRequest& request) {
  if (request.to) return {view.place(*request.to)};
  std::vector<std::size_t> sinks;
  for (std::size_t node = 0; node < view.nodes.size(); ++node)
    if (is_final(view.nodes[node])) sinks.push_back(node);
  require(!sinks.empty(), "this graph has no final norm or head: say --to NODE, one of {}", join(view.names()));
  return sinks;
}

Network network_of(const GraphView& view, const QueryRequest& request) {
  Network result{sources_of(view, request), sinks_of(view, request), {}, {}};
  for (Source& source : result.sources)
    std::erase_if(source.vertices, [&](std::size_t vertex) { return std::ranges::count(result.sinks, vertex) > 0; });
  std::erase_if(result.sources, [](const Source& source) { return source.vertices.empty(); });
  require(!result.sources.empty(), "the flow would begin where it ends: choose another --from or --to");
  std::vector<std::pair<int64_t, int64_t>> orders;
  for (const GraphNode& node : view.nodes) orders.push_back(order_of(node));
  for (const auto [from, to] : view.links) {
    result.forward.push_back(orders[from] < orders[to]);
    result.backward.push_back(!view.info.directed && orders[to] < orders[from]);
  }
  return result;
}

LinkGraph layered(const GraphView& view, const Network& network, const LinkValues& values) {
  LinkGraph result{{view.nodes.size(), {}}, {}};
  for (std::size_t i = 0; i < view.links.size(); ++i) {
    if (!(values.value[i] > 0) || (!network.forward[i] && !network.backward[i])) continue;
    const auto [from, to] = view.links[i];
    result.graph.edges.push_back(network.forward[i] ? WeightedEdge{from, to, values.value[i]}
                                                    : WeightedEdge{to, from, values.value[i]});
    result.link.push_back(i);
  }
  return result;
}

/// [sources x (capacity, edges of the cut)]
Numbers capacities(const GraphView& view, const Network& network, const LinkValues& values, std::size_t sources) {
  const LinkGraph links = layered(view, network, values);
  std::vector<std::vector<std::size_t>> sets;
  for (std::size_t i = 0; i < sources; ++i) sets.push_back(network.sources[i].vertices);
  Numbers result;
  for (const Flow& flow : max_flows(links.graph, sets, network.sinks))
    result.insert(result.end(), {flow.value, static_cast<double>(flow.cut.size())});
  return result;
}

/// [links]: the value where the link is in the cut, else 0.
std::vector<double> cut_values(const GraphView& view, const Network& network, const LinkValues& values) {
  const LinkGraph links = layered(view, network, values);
  std::vector<double> result(view.links.size());
  for (std::size_t place : max_flow(links.graph, network.sources.front().vertices, network.sinks).cut)
    result[links.link[place]] = links.graph.edges[place].weight;
  return result;
}

/// What the order of the layers leaves out.
std::string left_out(const GraphView& view, const Network& network) {
  std::size_t links = 0;
  double sum = 0;
  for (std::size_t i = 0; i < view.links.size(); ++i) {
    if (network.forward[i] || network.backward[i] || !(view.mean.value[i] > 0)) continue;
    ++links;
    sum += view.mean.value[i];
  }
  return fmt::format("{} of {} edges lead back or stay in place and are left out: {:.6f} {} together.", links,
                     view.links.size(), sum, view.info.unit);
}

void ask_capacities(Question& question, const GraphView& view, const std::shared_ptr<const Network>& network) {
  question.permuted = all_links(view);
  question.whole_names = {"capacity", "edges of the smallest cut"};
  question.whole = [&view, network](const LinkValues& values) { return capacities(view, *network, values, 1); };
  question.notes.push_back("An edge carries at most its value; the flow goes forward in the order of the layers.");
  question.notes.push_back(left_out(view, *network));
}

}  // namespace

Question capacity_question(const GraphView& view, const QueryRequest& request) {
  const auto network = std::make_shared<const Network>(network_of(view, request));
  Question question{"How much can flow from a disturbed router to the end of the network?", true};
  question.columns = {{"capacity", std::string(view.info.unit)}, {"edges of the cut", "1"}};
  for (const Source& source : network->sources) question.labels.push_back(source.label);
  question.numbers = [&view, network](const LinkValues& values) {
    return capacities(view, *network, values, network->sources.size());
  };
  question.passes = 20 * static_cast<double>(network->sources.size());
  ask_capacities(question, view, network);
  return question;
}

Question cut_question(const GraphView& view, const QueryRequest& request) {
  const auto network = std::make_shared<const Network>(network_of(view, request));
  const auto values = cut_values(view, *network, view.mean);
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] > 0) rows.push_back(i);
  std::ranges::stable_sort(rows, [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
  Question question{"Which edges carry all that flows from a disturbed router to the end of the network?", true};
  if (rows.size() > most_cut_rows) {
    question.notes.push_back(
        fmt::format("The cut has {} edges; the {} largest are shown.", rows.size(), most_cut_rows));
    rows.resize(most_cut_rows);
  }
  question.columns = {{"in the cut", std::string(view.info.unit)}};
  question.labels = {"all edges of the cut from " + network->sources.front().label};
  for (std::size_t link : rows) {
    const bool forward = network->forward[link];
    const auto& from = view.nodes[forward ? view.links[link].from : view.links[link].to];
    const auto& to = view.nodes[forward ? view.links[link].to : view.links[link].from];
    question.labels.push_back(from.name + " -> " + to.name);
  }
  question.numbers = [&view, network, rows](const LinkValues& other) {
    const auto cut = cut_values(view, *network, other);
    Numbers result{0};
    for (double value : cut) result[0] += value;
    for (std::size_t link : rows) result.push_back(cut[link]);
    return result;
  };
  question.passes = 20;
  ask_capacities(question, view, network);
  question.notes.push_back("In another graph a row counts its edge's value where that graph's cut has it, else 0.");
  return question;
}

}  // namespace absorb
