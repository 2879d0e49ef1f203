#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "studies/analysis/wording.h"
#include "studies/report/figures/svg.h"
#include "studies/report/page/html.h"
#include "studies/report/page/parts.h"

namespace absorb::report {
namespace {

constexpr double width = 520, height = 330, left = 62, right = 506, top = 34, bottom = 274;
constexpr size_t most_points = 160;

struct BandPoint {
  double x = 0, mean = 0, low = 0, high = 0;
};
using Band = std::vector<BandPoint>;

/// Valid loss over the steps that every done run of the group reports, thinned to what a figure can show.
Band band_of(const RunGroup& group) {
  std::map<int64_t, std::vector<const CurvePoint*>> by_step;
  for (const RunRecord* run : group.done)
    for (const CurvePoint& point : run->curve)
      if (std::isfinite(point.val_loss)) by_step[point.step].push_back(&point);
  std::erase_if(by_step, [&group](const auto& entry) { return entry.second.size() != group.done.size(); });
  const size_t stride = by_step.size() / most_points + 1;
  Band band;
  for (size_t i = 0; const auto& [step, points] : by_step) {
    if (i++ % stride != 0 && i != by_step.size()) continue;
    BandPoint out{static_cast<double>(points.front()->tokens), 0, points.front()->val_loss, points.front()->val_loss};
    for (const CurvePoint* point : points) {
      out.mean += point->val_loss / static_cast<double>(points.size());
      out.low = std::min(out.low, point->val_loss);
      out.high = std::max(out.high, point->val_loss);
    }
    band.push_back(out);
  }
  return band;
}

struct Curve {
  const RunGroup* group;
  Band band;
};

struct Panel {
  std::string title;
  std::vector<Curve> curves;
};

/// One panel a target and cell, the dense arm in each.
std::vector<Panel> panels_of(const Material& material) {
  std::vector<Panel> panels;
  for (const RunGroup& group : material.groups) {
    Band band = band_of(group);
    if (band.size() < 2 || group.target == "dense") continue;
    const std::string title = with_cell(group.target, group.cell);
    if (panels.empty() || panels.back().title != title) {
      panels.push_back({title, {}});
      const RunGroup* dense = find_group(material.groups, "dense", "dense", group.cell);
      if (dense == nullptr) dense = find_group(material.groups, "dense", "dense", {});
      if (dense != nullptr && !dense->done.empty()) panels.back().curves.push_back({dense, band_of(*dense)});
    }
    panels.back().curves.push_back({&group, std::move(band)});
  }
  return panels;
}

struct Ranges {
  double tokens = 0, low = std::numeric_limits<double>::infinity(), high = -low;
};

/// The first quarter of the tokens may lie above the figure: there every arm looks the same.
Ranges ranges_of(const std::vector<Panel>& panels) {
  Ranges ranges;
  for (const Panel& panel : panels)
    for (const Curve& curve : panel.curves)
      for (const BandPoint& point : curve.band) ranges.tokens = std::max(ranges.tokens, point.x);
  for (const Panel& panel : panels)
    for (const Curve& curve : panel.curves)
      for (const BandPoint& point : curve.band)
        if (point.x >= 0.25 * ranges.tokens) {
          ranges.low = std::min(ranges.low, point.low);
          ranges.high = std::max(ranges.high, point.high);
        }
  return ranges;
}

std::string tokens_label(double tokens, double largest) {
  if (tokens == 0) return "0";
  if (largest >= 1e9) return fmt::format("{:g} G", tokens / 1e9);
  if (largest >= 1e6) return fmt::format("{:g} M", tokens / 1e6);
  return largest >= 1e3 ? fmt::format("{:g} k", tokens / 1e3) : fmt::format("{:g}", tokens);
}

void draw_axes(Svg& svg, const Scale& x, const Scale& y) {
  for (double tick : y.ticks(5)) {
    svg.line({left, y(tick)}, {right, y(tick)}, "grid");
    svg.text({left - 8, y(tick) + 4}, y.label(tick, 5), "soft", Svg::Anchor::end);
  }
  for (double tick : x.ticks(4)) {
    svg.line({x(tick), bottom}, {x(tick), bottom + 4}, "axis");
    svg.text({x(tick), bottom + 18}, tokens_label(tick, x.high()), "soft", Svg::Anchor::middle);
  }
  svg.line({left, bottom}, {right, bottom}, "axis");
  svg.text({(left + right) / 2, bottom + 40}, "tokens seen", "soft", Svg::Anchor::middle);
  svg.vertical_text({14, (top + bottom) / 2}, "valid loss, nats per token", "soft");
}

void draw_curve(Svg& svg, const Scale& x, const Scale& y, const Band& band, const std::string& arm) {
  std::vector<Point> mean, around;
  for (const BandPoint& point : band) {
    mean.push_back({x(point.x), y(point.mean)});
    around.push_back({x(point.x), y(point.high)});
  }
  for (auto point = band.rbegin(); point != band.rend(); ++point) around.push_back({x(point->x), y(point->low)});
  svg.polygon(around, "spread " + arm);
  svg.polyline(mean, "curve " + arm);
}

void draw_legend(Svg& svg, const Material& material, const Panel& panel) {
  double y = top + 12;
  size_t longest = 0;
  for (const Curve& curve : panel.curves) longest = std::max(longest, curve.group->arm.size());
  const double x = right - 110 - 6.6 * static_cast<double>(longest);
  for (const Curve& curve : panel.curves) {
    svg.polyline({{x, y - 4}, {x + 34, y - 4}}, "curve " + arm_class(material.study, curve.group->arm));
    svg.text({x + 42, y}, fmt::format("{} (n = {})", curve.group->arm, curve.group->done.size()), "");
    y += 18;
  }
}

std::string draw_panel(const Material& material, const Panel& panel, const Ranges& ranges, size_t number) {
  Svg svg(fmt::format("curve{}", number), width, height, "Loss curves: " + panel.title,
          "Valid loss in nats per token against tokens seen, one line an arm with a band over seeds.");
  const double air = 0.05 * (ranges.high - ranges.low);
  const Scale x(0, ranges.tokens, left, right), y(ranges.low - air, ranges.high + air, bottom, top);
  svg.text({left, 20}, panel.title, "strong");
  draw_axes(svg, x, y);
  svg.begin_clip({left, top}, right - left, bottom - top);
  for (const Curve& curve : panel.curves)
    if (curve.band.size() >= 2) draw_curve(svg, x, y, curve.band, arm_class(material.study, curve.group->arm));
  // Points of a curve are over training.evaluation_tokens of the text; what tables say is over all of it.
  for (const Curve& curve : panel.curves)
    if (!curve.band.empty())
      svg.circle({x(curve.band.back().x),
                  y(summarize(values_of(curve.group->done, [](const RunRecord& run) { return run.val_loss; })).mean)},
                 3.5, "dot " + arm_class(material.study, curve.group->arm));
  svg.end_clip();
  draw_legend(svg, material, panel);
  return svg.html();
}

}  // namespace

std::string curves(const Material& material) {
  const std::vector<Panel> panels = panels_of(material);
  const Ranges ranges = ranges_of(panels);
  if (panels.empty() || !(ranges.low <= ranges.high)) return "";
  std::string out = "<div class=\"panels\">\n";
  for (size_t i = 0; i < panels.size(); ++i) out += draw_panel(material, panels[i], ranges, i);
  return figure(
      out + "</div>\n",
      "Loss on valid text while training, one panel a target on the same axes. Line: mean over n seeds; band: "
      "smallest to largest seed, always over the same part of the text. Dot: the mean over all valid text at the end, "
      "as "
      "in the tables. The first quarter of the tokens may lie above the panel.");
}

}  // namespace absorb::report
