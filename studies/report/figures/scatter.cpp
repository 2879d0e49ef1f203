#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "studies/analysis/wording.h"
#include "studies/report/figures/svg.h"
#include "studies/report/page/html.h"
#include "studies/report/page/parts.h"

namespace absorb::report {
namespace {

constexpr double width = 760, height = 400, left = 70, right = 500, top = 14, bottom = 340;

using Rows = std::vector<const ContrastResult*>;

Rows drawable(const std::vector<ContrastResult>& contrasts) {
  Rows rows;
  for (const ContrastResult& row : contrasts)
    if (row.swap_cost.n > 0 && std::isfinite(row.swap_cost.mean) && std::isfinite(row.paired.mean))
      rows.push_back(&row);
  return rows;
}

struct Axes {
  Scale x, y;
};

Axes axes_of(const Rows& rows) {
  double cost_low = 0, cost_high = 0, gap_low = 0, gap_high = 0;
  for (const ContrastResult* row : rows) {
    for (size_t i = 0; i < row->differences.size(); ++i) {
      if (!std::isfinite(row->swap_costs[i])) continue;
      cost_low = std::min(cost_low, row->swap_costs[i]);
      cost_high = std::max(cost_high, row->swap_costs[i]);
      gap_low = std::min(gap_low, row->differences[i]);
      gap_high = std::max(gap_high, row->differences[i]);
    }
  }
  const double air_x = 0.08 * (cost_high - cost_low), air_y = 0.1 * (gap_high - gap_low);
  return {Scale(cost_low - air_x / 2, cost_high + air_x, left, right),
          Scale(gap_low - air_y / 2, gap_high + air_y, bottom, top)};
}

void draw_axes(Svg& svg, const Axes& axes) {
  for (double tick : axes.y.ticks(5)) {
    svg.line({left, axes.y(tick)}, {right, axes.y(tick)}, "grid");
    svg.text({left - 8, axes.y(tick) + 4}, axes.y.label(tick, 5), "soft", Svg::Anchor::end);
  }
  for (double tick : axes.x.ticks(6)) {
    svg.line({axes.x(tick), bottom}, {axes.x(tick), bottom + 4}, "axis");
    svg.text({axes.x(tick), bottom + 18}, axes.x.label(tick, 6), "soft", Svg::Anchor::middle);
  }
  svg.line({left, bottom}, {right, bottom}, "axis");
  svg.text({(left + right) / 2, bottom + 42}, "swap cost, nats per token", "soft", Svg::Anchor::middle);
  svg.vertical_text({16, (top + bottom) / 2}, "gap, nats per token", "soft");
}

/// Lines along which R is the same, each named where it leaves the plot.
void draw_guides(Svg& svg, const Axes& axes) {
  for (double r : {0.0, 0.5, 0.8, 0.9, 1.0}) {
    const double slope = 1 - r, cost = slope > 0 ? std::min(axes.x.high(), axes.y.high() / slope) : axes.x.high();
    if (!(cost > 0)) continue;
    svg.line({axes.x(0), axes.y(0)}, {axes.x(cost), axes.y(slope * cost)}, "guide");
    const bool inside = cost < axes.x.high();
    svg.text({axes.x(cost) + (inside ? 4 : 6), axes.y(slope * cost) + (inside ? 12 : 4)}, fmt::format("R = {:g}", r),
             "soft");
  }
}

void draw_bars(Svg& svg, const Axes& axes, const ContrastResult& row, const std::string& mark) {
  const double x = axes.x(row.swap_cost.mean), y = axes.y(row.paired.mean);
  if (row.swap_cost.ci95)
    svg.line({axes.x(row.swap_cost.ci95->low), y}, {axes.x(row.swap_cost.ci95->high), y}, "whisker" + mark);
  if (row.paired.ci95)
    svg.line({x, axes.y(row.paired.ci95->low)}, {x, axes.y(row.paired.ci95->high)}, "whisker" + mark);
}

void draw_contrast(Svg& svg, const Axes& axes, const ContrastResult& row) {
  const std::string mark = " target-" + row.target;
  for (size_t i = 0; i < row.differences.size(); ++i)
    if (std::isfinite(row.swap_costs[i]))
      svg.circle({axes.x(row.swap_costs[i]), axes.y(row.differences[i])}, 2.5, "seed" + mark);
  draw_bars(svg, axes, row, mark);
  svg.circle({axes.x(row.swap_cost.mean), axes.y(row.paired.mean)}, 9, "dot" + mark);
}

/// What the numbers in the dots stand for.
void draw_key(Svg& svg, const Rows& rows) {
  double y = top + 16;
  for (size_t i = 0; i < rows.size(); ++i) {
    const ContrastResult& row = *rows[i];
    svg.circle({right + 62, y - 4}, 9, "dot target-" + row.target);
    svg.text({right + 62, y}, std::to_string(i + 1), "inverse", Svg::Anchor::middle);
    svg.text({right + 78, y}, row.name, "");
    svg.text({right + 78, y + 15}, with_cell(row.target, row.cell), "soft");
    svg.text({right + 78, y + 29}, "R = " + fraction(row.absorbed), "soft");
    y += 52;
  }
}

}  // namespace

std::string swap_against_gap(const Material& material) {
  const Rows rows = drawable(material.analysis.contrasts);
  if (rows.empty()) return "";
  const double tall = std::max(height, top + 52 * static_cast<double>(rows.size()) + 10);
  Svg svg("swap", width, tall, "Gap against swap cost",
          "One dot for each contrast and target: what routing is worth to the trained model across, what is lost by "
          "training with the control's router up. Lines of equal absorbed fraction R run from the origin.");
  const Axes axes = axes_of(rows);
  draw_axes(svg, axes);
  draw_guides(svg, axes);
  svg.begin_clip({left, top}, right - left, bottom - top + 1);
  for (const ContrastResult* row : rows) draw_contrast(svg, axes, *row);
  for (size_t i = 0; i < rows.size(); ++i)
    svg.text({axes.x(rows[i]->swap_cost.mean), axes.y(rows[i]->paired.mean) + 4}, std::to_string(i + 1), "inverse",
             Svg::Anchor::middle);
  svg.end_clip();
  draw_key(svg, rows);
  return figure(
      svg.html(),
      "Swap cost against gap, in nats per token. Numbered dots: means, with 95 % t intervals over seeds; open "
      "circles: single seeds. Dotted lines: equal absorbed fraction R = 1 - gap / swap cost; R = 1 where "
      "training with the control's router makes up for all that routing is worth, R = 0 for none of it.");
}

}  // namespace absorb::report
