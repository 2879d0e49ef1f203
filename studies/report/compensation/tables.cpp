#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "studies/analysis/wording.h"
#include "studies/report/compensation/compensation.h"
#include "studies/report/compensation/layout.h"
#include "studies/report/page/html.h"

namespace absorb::report {
namespace {

using enum Table::Kind;

std::string mean_of(const Summary& summary, int digits) {
  return number(summary.n > 0 ? summary.mean : std::nan(""), digits);
}

std::string share_table(const std::vector<RouterSummary>& routers) {
  Table table(
      "Cross-layer share: of what is recovered for each router, the share that other layers recover (Shapley), mean "
      "over "
      "n seeds with its 95 % t interval; beside it the parts in nats per token. Seeds whose share is undefined or "
      "whose "
      "dose isn't equal are not among n.");
  table.column("Target", words).column("Router", words).column("n").column("Share").column("95 %").column("All");
  table.column("Other layers").column("Module").column("Rest of layer").column("Undefined", words);
  for (const RouterSummary& router : routers)
    table.row({router.target, to_string(router.router), std::to_string(router.share.n), mean_of(router.share, 3),
               bracketed(t_interval(router.share), 3), mean_of(router.all, nats_digits),
               mean_of(router.cross, nats_digits), mean_of(router.module, nats_digits),
               mean_of(router.rest, nats_digits), join(router.undefined, "; ")});
  return table.html();
}

/// Empty where no share is defined, or the parts' numbers were not kept.
std::string size_table(const std::vector<RouterSummary>& routers) {
  Table table(
      "Parts and their sizes: each part's share of what is recovered, beside its share of the numbers that adapt and "
      "the "
      "share that random partitions into parts of the same sizes recover (compensation.random_partitions); excess is "
      "the share less that, with its 95 % t interval over n seeds.");
  table.column("Target", words).column("Router", words).column("Part", words).column("n").column("Share");
  table.column("Of the numbers").column("Size-matched").column("Excess").column("95 %");
  bool any = false;
  for (const RouterSummary& router : routers)
    for (const PartShare& part : router.parts) {
      if (part.numbers.n == 0) continue;
      any = true;
      table.row({router.target, to_string(router.router), part.part, std::to_string(part.share.n),
                 mean_of(part.share, 3), mean_of(part.numbers, 3), mean_of(part.size_matched, 3),
                 mean_of(part.excess, 3), bracketed(t_interval(part.excess), 3)});
    }
  return any ? table.html() : "";
}

std::string dose_table(const std::vector<RouterSummary>& routers) {
  Table table(
      "Swap costs and doses: what it costs to replace a router whole by a matched random one, the share of the items "
      "(dose) at which the disturbance costs the wanted damage, and what it costs there. Nats per token before any "
      "adaptation; mean and 95 % t interval over n seeds.");
  table.column("Target", words).column("Router", words).column("n").column("Swap cost").column("95 %").column("Dose");
  table.column("95 %").column("Cost at dose").column("95 %");
  for (const RouterSummary& router : routers)
    table.row({router.target, to_string(router.router), std::to_string(router.swap_cost.n),
               mean_of(router.swap_cost, 4), bracketed(t_interval(router.swap_cost)), mean_of(router.dose, 3),
               bracketed(t_interval(router.dose), 3), mean_of(router.dose_cost, nats_digits),
               bracketed(t_interval(router.dose_cost), nats_digits)});
  return table.html();
}

/// One row a component, one column a target.
std::string component_table(const CompensationResults& results, const std::string& measure) {
  const std::vector<std::string> targets = targets_of(results);
  std::vector<GraphNode> nodes;
  std::map<std::string, std::map<std::string, Summary>> values;
  for (const std::string& target : targets) {
    for (const GraphNode& node : nodes_of(results, measure, target))
      if (std::ranges::find(nodes, node.name, &GraphNode::name) == nodes.end()) nodes.push_back(node);
    for (const MeanEdge& edge : mean_edges(results, measure, target)) values[edge.from][target] = edge.value;
  }
  const std::string title = words_for(measure).title;
  Table table(title + " of each component" + (unit_of(measure).empty() ? "" : " in" + unit_of(measure)) +
              ": mean over seeds with its 95 % t interval, one column a target.");
  table.column("Component", words);
  for (const std::string& target : targets) table.column(target);
  std::ranges::stable_sort(nodes, is_before);
  for (const GraphNode& node : nodes) {
    std::vector<std::string> cells{node.name};
    for (const std::string& target : targets) {
      const auto found = values[node.name].find(target);
      cells.push_back(found == values[node.name].end() ? ""
                                                       : fmt::format("{} {}", number(found->second.mean, 3),
                                                                     bracketed(t_interval(found->second), 3)));
    }
    table.row(std::move(cells));
  }
  return folded(title, anchored(table.html(), measure), true);
}

}  // namespace

std::string compensation_tables(const CompensationResults& results) {
  const std::vector<RouterSummary> routers = router_summaries(results);
  if (routers.empty()) return "";
  return subheading("compensation-shares", "Layer by layer") +
         paragraph(
             "A share of 0 says that a layer repairs its router's damage by itself, a share of 1 that only other "
             "layers do. It is a share of what is recovered at all, so read it beside the nats.") +
         anchored(share_table(routers), "recovery") + anchored(size_table(routers), "recovery") +
         anchored(dose_table(routers), "recovery");
}

std::string compensation_components(const CompensationResults& results) {
  std::string out;
  for (const std::string& measure : measures_of(results))
    if (measure_info(measure).self_loop) out += component_table(results, measure);
  return out;
}

}  // namespace absorb::report
