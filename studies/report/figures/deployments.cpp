#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "studies/analysis/wording.h"
#include "studies/report/figures/chart.h"
#include "studies/report/page/html.h"
#include "studies/report/page/parts.h"

namespace absorb::report {
namespace {

using enum Table::Kind;

constexpr double width = 860, left = 190, right = 560, row_height = 20, head_height = 26, title_height = 26, foot = 46;
constexpr size_t most_open = 60, most_open_rows = 24;  // dots, and rows of the table, that stand open on the page

/// As many rows as kinds of routing with an agreement: in target both two, the second without the loss again.
void add_rows(Table& table, const DeploymentSummary& row) {
  auto agreement = row.agreement;
  if (agreement.empty()) agreement[""] = {NAN, NAN, NAN, NAN, NAN};
  bool first = true;
  for (const auto& [kind, a] : agreement) {
    const auto once = [&first](const std::string& text) { return first ? text : std::string(); };
    table.row(
        {row.target == "both" && !kind.empty() ? "both: " + kind : row.target, row.arm, cell_label(row.cell), row.key,
         once(std::to_string(row.loss.n)), once(number(row.loss.mean)), once(signed_number(row.cost.mean)),
         once(bracketed(row.cost.ci95)), once(row.open_cost.n > 0 ? signed_number(row.open_cost.mean) : ""),
         once(or_nothing(row.compounding.mean, 2)), or_nothing(a.f1, 3), or_nothing(a.jaccard, 3),
         or_nothing(a.retained_mass, 3), or_nothing(a.oracle_mass, 3), once(or_nothing(row.gain_correlation.mean, 3))});
    first = false;
  }
}

std::string table_of(const std::vector<DeploymentSummary>& rows) {
  Table table(
      "Deployments: trained weights evaluated under another routing. Cost: deployed minus native loss in nats per "
      "token "
      "over n seeds, with its 95 % t interval. Open loop: the cost with routings recorded from the native pass; "
      "compounding: closed over open cost. F1, Jaccard: with the oracle's choices of the same budget. Mass: share of "
      "the layer's own preference on what is kept, beside what the oracle's choices hold. Gain correlation: of scores "
      "with the experts' gains, over sites and seeds.");
  table.column("Target", words).column("Arm", words).column("Cell", words).column("Deployment", words).column("n");
  table.column("Loss").column("Cost").column("95 %").column("Open loop").column("Compounding").column("F1");
  table.column("Jaccard").column("Mass").column("Oracle's mass").column("Gain correlation");
  for (const DeploymentSummary& row : rows) add_rows(table, row);
  return table.html();
}

using Rows = std::vector<const DeploymentSummary*>;

/// The rows of one target and cell: those of a deployment stand together, arms in the study's order.
struct Block {
  std::string title;
  std::vector<Rows> deployments;
};

/// Transplants have their own figure.
std::vector<Block> blocks_of(const std::vector<DeploymentSummary>& all) {
  std::vector<Block> blocks;
  for (const DeploymentSummary& row : all) {
    if (!std::isfinite(row.cost.mean) || row.key != row.deployment) continue;
    const std::string title = with_cell(row.target, row.cell);
    if (blocks.empty() || blocks.back().title != title) blocks.push_back({title, {}});
    auto& lists = blocks.back().deployments;
    auto found =
        std::find_if(lists.begin(), lists.end(), [&row](const Rows& rows) { return rows.front()->key == row.key; });
    if (found == lists.end()) found = lists.insert(lists.end(), Rows{});
    found->push_back(&row);
  }
  return blocks;
}

/// Every mean, and intervals as far as three times the largest mean.
Scale axis_of(const std::vector<DeploymentSummary>& rows) {
  double reach = 0, low = 0, high = 0;
  for (const DeploymentSummary& row : rows)
    if (row.key == row.deployment && std::isfinite(row.cost.mean)) {
      reach = std::max(reach, std::abs(row.cost.mean));
      low = std::min(low, row.cost.mean);
      high = std::max(high, row.cost.mean);
    }
  for (const DeploymentSummary& row : rows)
    if (row.key == row.deployment && row.cost.ci95) {
      low = std::min(low, std::max(row.cost.ci95->low, -3 * reach));
      high = std::max(high, std::min(row.cost.ci95->high, 3 * reach));
    }
  const double air = 0.04 * (high - low);
  return {low - air, high + air, left, right};
}

void draw_row(Svg& svg, const Scale& x, const DeploymentSummary& row, double y, const std::string& mark) {
  svg.text({14, y + 4}, shortened(row.arm, 21), "");
  if (row.cost.ci95) {
    const double from = std::max(row.cost.ci95->low, x.low()), to = std::min(row.cost.ci95->high, x.high());
    svg.line({x(from), y}, {x(to), y}, "whisker " + mark);
  }
  svg.circle({x(row.cost.mean), y}, 4, "dot " + mark);
  svg.text({right + 18, y + 4},
           fmt::format("{} {} (n = {})", signed_number(row.cost.mean), bracketed(row.cost.ci95), row.cost.n), "");
}

double height_of(const Block& block) {
  double height = title_height;
  for (const Rows& rows : block.deployments) height += head_height + row_height * static_cast<double>(rows.size());
  return height;
}

std::string draw_block(const Material& material, const Scale& x, const Block& block, size_t number) {
  const double bottom = height_of(block);
  Svg svg(fmt::format("costs{}", number), width, bottom + foot, "Costs of deployments: " + block.title,
          "Dot plot: one row for each deployment and arm with the mean cost in nats per token and its 95 % interval. "
          "The table holds the same numbers.");
  svg.text({0, 16}, block.title, "strong");
  double y = title_height;
  for (const Rows& rows : block.deployments) {
    svg.text({0, y + 17}, rows.front()->key, "soft");
    y += head_height;
    const double tall = row_height * static_cast<double>(rows.size());
    for (double tick : x.ticks(6)) svg.line({x(tick), y}, {x(tick), y + tall}, "grid");
    svg.line({x(0), y}, {x(0), y + tall}, "zero");
    for (const DeploymentSummary* row : rows) {
      draw_row(svg, x, *row, y + row_height / 2, arm_class(material.study, row->arm));
      y += row_height;
    }
  }
  svg.line({left, bottom}, {right, bottom}, "axis");
  for (double tick : x.ticks(6)) svg.text({x(tick), bottom + 16}, x.label(tick, 6), "soft", Svg::Anchor::middle);
  svg.text({(left + right) / 2, bottom + 36}, "cost: deployed - native loss, nats per token", "soft",
           Svg::Anchor::middle);
  return svg.html();
}

std::string dot_plots(const Material& material) {
  const std::vector<Block> blocks = blocks_of(material.analysis.deployments);
  if (blocks.empty()) return "";
  const Scale x = axis_of(material.analysis.deployments);
  std::string out;
  for (size_t i = 0; i < blocks.size(); ++i) out += draw_block(material, x, blocks[i], i);
  return figure(out,
                "What it costs trained weights to run under another routing, in nats per token: mean and 95 % t "
                "interval over n seeds, one panel a target on the same axis. A bar may go on beyond the axis.");
}

}  // namespace

std::string deployment_costs(const Material& material) {
  const auto& rows = material.analysis.deployments;
  const auto dots = std::count_if(rows.begin(), rows.end(), [](const auto& row) { return row.key == row.deployment; });
  return folded("Costs of every deployment, arm and target", dot_plots(material),
                static_cast<size_t>(dots) > most_open) +
         folded("Table of every deployment", table_of(rows), rows.size() > most_open_rows);
}

}  // namespace absorb::report
