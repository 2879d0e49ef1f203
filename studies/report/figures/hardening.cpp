#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "studies/analysis/wording.h"
#include "studies/report/figures/chart.h"
#include "studies/report/page/html.h"
#include "studies/report/page/parts.h"

namespace absorb::report {
namespace {

constexpr double width = 520, height = 300;
constexpr Frame frame{62, 330, 34, 246};

constexpr size_t most_open = 3;  // deployments that stand open on the page

/// What the first r layers cost, r = 0 ... layers: element r over the seeds.
struct Line {
  std::string arm;
  std::vector<Summary> rise;
};

struct Panel {
  std::string title;
  std::vector<Line> lines;
};

/// The panels of one deployment, on the same axes.
struct Panels {
  std::string key;
  std::vector<Panel> panels;
};

/// Paired within a seed, so that what seeds differ by anyway does not widen the band.
std::vector<Summary> rise_of(const RunGroup& group, const std::string& key, size_t points) {
  std::vector<Summary> rise;
  for (size_t r = 0; r < points; ++r) {
    std::vector<double> values;
    for (const RunRecord* run : group.done) {
      const auto found = run->deployments.find(key);
      if (found == run->deployments.end() || r >= found->second.hardening.size()) continue;
      const double value = found->second.hardening[r] - found->second.hardening.front();
      if (std::isfinite(value)) values.push_back(value);
    }
    rise.push_back(summarize(values));
  }
  return rise;
}

template <class T>
T& with(std::vector<T>& list, std::string T::*name, const std::string& value) {
  for (T& element : list)
    if (element.*name == value) return element;
  list.push_back({value, {}});
  return list.back();
}

std::vector<Panels> panels_of(const Material& material) {
  std::vector<Panels> all;
  for (const DeploymentSummary& row : material.analysis.deployments) {
    const RunGroup* group = find_group(material.groups, row.arm, row.target, row.cell);
    if (row.hardening.size() < 2 || group == nullptr) continue;
    Panel& panel = with(with(all, &Panels::key, row.key).panels, &Panel::title, with_cell(row.target, row.cell));
    panel.lines.push_back({row.arm, rise_of(*group, row.key, row.hardening.size())});
  }
  return all;
}

struct Ranges {
  double low = 0, high = 0;
  size_t layers = 1;
};

Ranges ranges_of(const std::vector<Panel>& panels) {
  Ranges ranges;
  for (const Panel& panel : panels)
    for (const Line& line : panel.lines) {
      ranges.layers = std::max(ranges.layers, line.rise.size() - 1);
      for (const Summary& point : line.rise) {
        const Estimate at = estimate_at(0, point);
        if (!std::isfinite(at.mean)) continue;
        ranges.low = std::min(ranges.low, at.mean - at.sd);
        ranges.high = std::max(ranges.high, at.mean + at.sd);
      }
    }
  return ranges;
}

/// "n = 5", or "n = 3 to 5" where the arms differ.
std::string seeds_of(const Panel& panel) {
  int64_t least = panel.lines.front().rise.back().n, most = least;
  for (const Line& line : panel.lines) {
    least = std::min(least, line.rise.back().n);
    most = std::max(most, line.rise.back().n);
  }
  return least == most ? fmt::format("n = {}", most) : fmt::format("n = {} to {}", least, most);
}

std::string draw_panel(const Material& material, const Panel& panel, const Ranges& ranges, const std::string& id) {
  Svg svg(id, width, height, "Partial hardening: " + panel.title,
          "Loss minus the native loss in nats per token against the number of layers deployed, one line an arm with a "
          "band of one standard deviation over seeds.");
  const double air = 0.05 * (ranges.high - ranges.low);
  const Scale x(0, static_cast<double>(ranges.layers), frame.left, frame.right),
      y(ranges.low - air, ranges.high + air, frame.bottom, frame.top);
  svg.text({frame.left, 20}, fmt::format("{} ({})", panel.title, seeds_of(panel)), "strong");
  draw_value_axis(svg, frame, y, 5, "loss - native, nats per token");
  std::vector<double> places;
  std::vector<std::string> labels;
  for (size_t r = 0; r <= ranges.layers; r += (ranges.layers + 11) / 12) {
    places.push_back(x(static_cast<double>(r)));
    labels.push_back(std::to_string(r));
  }
  draw_places(svg, frame, places, labels, "first r layers deployed");
  std::vector<EndLabel> ends;
  for (const Line& line : panel.lines) {
    std::vector<Estimate> points;
    for (size_t r = 0; r < line.rise.size(); ++r)
      points.push_back(estimate_at(x(static_cast<double>(r)), line.rise[r]));
    const std::string mark = arm_class(material.study, line.arm);
    draw_band(svg, points, y, mark);
    if (!std::isfinite(points.back().mean)) continue;
    ends.push_back({shortened(line.arm, 22), {points.back().x, y(points.back().mean)}, mark});
  }
  draw_end_labels(svg, frame, std::move(ends));
  return svg.html();
}

}  // namespace

std::string hardening(const Material& material) {
  std::string open, more;
  size_t number = 0, figures = 0;
  for (const Panels& deployment : panels_of(material)) {
    const Ranges ranges = ranges_of(deployment.panels);
    std::string content = "<div class=\"panels\">\n";
    for (const Panel& panel : deployment.panels)
      content += draw_panel(material, panel, ranges, fmt::format("hardening{}", number++));
    (figures++ < most_open ? open : more) +=
        figure(content + "</div>\n",
               fmt::format("Partial hardening, {}: what it costs to deploy the first r layers alone, in nats per "
                           "token above the native loss (r = 0), one panel a target on the same axes. Line: mean "
                           "over n seeds; band: +/- 1 sd of the difference, paired by seed.",
                           deployment.key));
  }
  return open + folded("Partial hardening of the other deployments", more, true);
}

}  // namespace absorb::report
