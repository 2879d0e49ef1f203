#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "studies/analysis/wording.h"
#include "studies/report/figures/svg.h"
#include "studies/report/page/html.h"
#include "studies/report/page/parts.h"

namespace absorb::report {
namespace {

constexpr double width = 860, left = 150, right = 510, row_height = 34, head_height = 30, foot = 46;

using Rows = std::vector<const ContrastResult*>;

/// The contrasts of one name stand together under their name.
std::vector<Rows> blocks_of(const std::vector<ContrastResult>& contrasts) {
  std::vector<Rows> blocks;
  for (const ContrastResult& row : contrasts) {
    if (row.paired.n == 0 || !std::isfinite(row.paired.mean)) continue;
    const auto same = [&row](const Rows& block) { return block.front()->name == row.name; };
    auto found = std::find_if(blocks.begin(), blocks.end(), same);
    if (found == blocks.end()) found = blocks.insert(blocks.end(), Rows{});
    found->push_back(&row);
  }
  return blocks;
}

/// What the axis shows: every mean, seed and margin, and intervals as far as three times that reach.
Scale axis_of(const std::vector<Rows>& blocks) {
  double reach = 0, low = 0, high = 0;
  for (const Rows& block : blocks) {
    for (const ContrastResult* row : block) {
      for (double difference : row->differences) reach = std::max(reach, std::abs(difference));
      reach = std::max(reach, row->margin_nats);
      low = std::min({low, -row->margin_nats, *std::min_element(row->differences.begin(), row->differences.end())});
      high = std::max({high, row->margin_nats, *std::max_element(row->differences.begin(), row->differences.end())});
    }
  }
  for (const Rows& block : blocks) {
    for (const ContrastResult* row : block) {
      if (!row->paired.ci95) continue;
      low = std::min(low, std::max(row->paired.ci95->low, -3 * reach));
      high = std::max(high, std::min(row->paired.ci95->high, 3 * reach));
    }
  }
  const double air = 0.04 * (high - low);
  return {low - air, high + air, left, right};
}

void draw_interval(Svg& svg, const Scale& x, const Interval& interval, double y, const std::string& style_class) {
  const double from = std::max(interval.low, x.low()), to = std::min(interval.high, x.high());
  svg.line({x(from), y}, {x(to), y}, style_class);
  if (from == interval.low) svg.line({x(from), y - 4}, {x(from), y + 4}, style_class);
  if (to == interval.high) svg.line({x(to), y - 4}, {x(to), y + 4}, style_class);
}

void draw_row(Svg& svg, const Scale& x, const ContrastResult& row, double y) {
  const std::string mark = " target-" + row.target;
  const std::string cell = cell_label(row.cell);
  svg.text({14, y + (cell.empty() ? 4 : -2)}, row.target, "");
  if (!cell.empty()) svg.text({14, y + 12}, cell, "soft");
  for (double difference : row.differences) svg.circle({x(difference), y - 9}, 2.2, "seed" + mark);
  if (row.ci95_documents) draw_interval(svg, x, *row.ci95_documents, y + 9, "documents" + mark);
  if (row.paired.ci95) draw_interval(svg, x, *row.paired.ci95, y, "whisker" + mark);
  svg.circle({x(row.paired.mean), y}, 4.5, "dot" + mark);
  svg.text({right + 18, y - 2}, fmt::format("{} {}", signed_number(row.paired.mean), bracketed(row.paired.ci95)), "");
  svg.text({right + 18, y + 12}, fmt::format("n = {}: {}", row.paired.n, row.verdict), "soft");
}

void draw_axis(Svg& svg, const Scale& x, double bottom) {
  for (double tick : x.ticks(6)) svg.text({x(tick), bottom + 16}, x.label(tick, 6), "soft", Svg::Anchor::middle);
  svg.line({left, bottom}, {right, bottom}, "axis");
  svg.text({(left + right) / 2, bottom + 36}, "gap in nats per token (above 0: the treatment is better)", "soft",
           Svg::Anchor::middle);
}

double height_of(const std::vector<Rows>& blocks) {
  double height = 8;
  for (const Rows& block : blocks) height += head_height + row_height * static_cast<double>(block.size());
  return height;
}

/// The margin, the grid and the line of no difference, behind the rows of one block.
void draw_ground(Svg& svg, const Scale& x, const Rows& block, double top) {
  const double margin = block.front()->margin_nats, tall = row_height * static_cast<double>(block.size());
  svg.rect({x(-margin), top}, x(margin) - x(-margin), tall, "margin");
  for (double tick : x.ticks(6)) svg.line({x(tick), top}, {x(tick), top + tall}, "grid");
  svg.line({x(0), top}, {x(0), top + tall}, "zero");
}

void draw_block(Svg& svg, const Scale& x, const Rows& block, double& y) {
  const ContrastResult& first = *block.front();
  svg.text({0, y + 19},
           fmt::format("{} ({}): {} against {}{}", first.name, kind(first), first.treatment, first.control,
                       first.deployment.empty() ? "" : ", deployed " + first.deployment),
           "strong");
  y += head_height;
  draw_ground(svg, x, block, y);
  for (const ContrastResult* row : block) {
    draw_row(svg, x, *row, y + row_height / 2);
    y += row_height;
  }
}

}  // namespace

std::string forest(const Material& material) {
  const std::vector<Rows> blocks = blocks_of(material.analysis.contrasts);
  if (blocks.empty()) return "";
  const double bottom = height_of(blocks);
  Svg svg(
      "forest", width, bottom + foot, "Gaps of every contrast in nats per token",
      "Forest plot: one row for each contrast and target with the mean gap, its 95 % interval and the margin of the "
      "equivalence test. The table below holds the same numbers.");
  const Scale x = axis_of(blocks);
  double y = 8;
  for (const Rows& block : blocks) draw_block(svg, x, block, y);
  draw_axis(svg, x, bottom);
  return figure(svg.html(),
                "Gap = loss(control) - loss(treatment) in nats per token. Dot and bar: mean and 95 % t interval over n "
                "paired seeds; open circles: single seeds; dashed bar: 95 % interval over seeds and documents; shaded: "
                "the margin within which a difference counts as a tie. A bar without an end goes on beyond the axis.");
}

}  // namespace absorb::report
