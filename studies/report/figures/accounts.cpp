#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "statistics/summary.h"
#include "studies/analysis/wording.h"
#include "studies/report/figures/chart.h"
#include "studies/report/page/html.h"
#include "studies/report/page/parts.h"

namespace absorb::report {
namespace {

constexpr double width = 340, height = 236;
constexpr Frame frame{44, 222, 30, 188};
constexpr double decades = 8;  // below the largest norm; what is smaller lies under the panel

constexpr size_t most_open = 36;  // panels that stand open on the page

/// The parts shown, in the order of their colours and dashes.
struct Part {
  const char* key;
  const char* label;
};
constexpr std::array<Part, 8> parts{{{"attention_router", "attention router"},
                                     {"expert_router", "expert router"},
                                     {"q", "q"},
                                     {"k", "k"},
                                     {"v", "v"},
                                     {"o", "o"},
                                     {"expert", "experts"},
                                     {"feed_forward", "feed-forward"}}};

struct AccountLine {
  size_t part;
  std::vector<Point> points;  // step, log10 of the mean norm over seeds
};

struct Panel {
  const RunGroup* group;
  std::vector<AccountLine> lines;
};

double value_of(const AccountPoint& point, const std::string& key) {
  const auto found = point.values.find(key);
  return found == point.values.end() ? std::nan("") : found->second;
}

/// Steps whose norm is exactly 0 have no logarithm, and are named in words instead.
std::vector<Point> line_of(const RunGroup& group, const std::string& key, size_t most) {
  std::map<int64_t, std::vector<double>> by_step;
  for (const RunRecord* run : group.done)
    for (const AccountPoint& point : run->accounts)
      if (const double norm = value_of(point, key); std::isfinite(norm)) by_step[point.step].push_back(norm);
  const size_t stride = (by_step.size() + most - 1) / most;
  std::vector<Point> points;
  for (size_t i = 0; const auto& [step, norms] : by_step) {
    const bool last = ++i == by_step.size();
    const double mean = summarize(norms).mean;
    if (((i - 1) % stride == 0 || last) && mean > 0) points.push_back({static_cast<double>(step), std::log10(mean)});
  }
  return points;
}

std::vector<Panel> panels_of(const Material& material) {
  std::vector<const RunGroup*> groups;
  for (const RunGroup& group : material.groups)
    if (std::any_of(group.done.begin(), group.done.end(), [](const RunRecord* run) { return !run->accounts.empty(); }))
      groups.push_back(&group);
  const size_t most = groups.empty() ? 0 : std::clamp<size_t>(2400 / groups.size(), 8, 40);
  std::vector<Panel> panels;
  for (const RunGroup* group : groups) {
    panels.push_back({group, {}});
    for (size_t part = 0; part < parts.size(); ++part)
      if (auto points = line_of(*group, std::string("grad_norm/") + parts[part].key, most); points.size() > 1)
        panels.back().lines.push_back({part, std::move(points)});
  }
  return panels;
}

struct Ranges {
  double steps = 0, low = INFINITY, high = -INFINITY;
};

Ranges ranges_of(const std::vector<Panel>& panels) {
  Ranges ranges;
  for (const Panel& panel : panels)
    for (const AccountLine& line : panel.lines)
      for (const Point& point : line.points) {
        ranges.steps = std::max(ranges.steps, point.x);
        ranges.low = std::min(ranges.low, point.y);
        ranges.high = std::max(ranges.high, point.y);
      }
  ranges.low = std::max(ranges.low, ranges.high - decades);
  return ranges;
}

std::string draw_panel(const Panel& panel, const Ranges& ranges, size_t number) {
  const std::string title = with_cell(panel.group->target + ", " + panel.group->arm, panel.group->cell);
  Svg svg(fmt::format("account{}", number), width, height, "Gradient account: " + title,
          "Logarithm to base 10 of the gradient's norm in each part against the training step, mean over seeds.");
  const double air = 0.05 * (ranges.high - ranges.low);
  const Scale x(0, ranges.steps, frame.left, frame.right),
      y(ranges.low - air, ranges.high + air, frame.bottom, frame.top);
  svg.text({0, 18}, shortened(title, 46), "strong");
  draw_value_axis(svg, frame, y, 4, "log10 of the norm");
  std::vector<double> places;
  std::vector<std::string> labels;
  for (double step : x.ticks(3)) {
    places.push_back(x(step));
    labels.push_back(step >= 1e4 ? short_count(step) : fmt::format("{:g}", step));
  }
  draw_places(svg, frame, places, labels, "step");
  std::vector<EndLabel> ends;
  svg.begin_clip({frame.left, frame.top}, frame.right - frame.left, frame.bottom - frame.top);
  for (const AccountLine& line : panel.lines) {
    const std::string mark = fmt::format("arm-{}", line.part);
    std::vector<Point> points;
    for (const Point& point : line.points) points.push_back({x(point.x), y(point.y)});
    svg.polyline(points, "curve thin " + mark);
    ends.push_back({parts[line.part].label, {points.back().x, std::min(points.back().y, frame.bottom)}, mark});
  }
  svg.end_clip();
  draw_end_labels(svg, frame, std::move(ends));
  return svg.html();
}

std::string label_of(const std::string& key) {
  const auto found = std::find_if(parts.begin(), parts.end(), [&key](const Part& part) { return key == part.key; });
  return found == parts.end() ? key : found->label;
}

/// "attention router: exactly 0 at every step; v: exactly 0 at 3 of 50 accounts", or that none was.
std::string zeros(const RunGroup& group) {
  std::map<std::string, int64_t> zero, all;
  for (const RunRecord* run : group.done)
    for (const AccountPoint& point : run->accounts) {
      for (const auto& [key, value] : point.values)
        if (key.starts_with("grad_norm/")) ++all[key.substr(10)];
      for (const std::string& part : point.zero_gradient) ++zero[part];
    }
  std::string out;
  for (const auto& [part, count] : zero)
    out += (out.empty() ? "" : "; ") + label_of(part) + ": exactly 0 at " +
           (count >= all[part] ? "every step" : fmt::format("{} of {} accounts", count, all[part]));
  return out.empty() ? "No part's gradient was exactly 0." : out + ".";
}

std::string displacement(const RunGroup& group) {
  std::vector<double> last;
  for (const RunRecord* run : group.done) {
    if (run->accounts.empty()) continue;
    if (const double value = value_of(run->accounts.back(), "router_displacement"); std::isfinite(value))
      last.push_back(value);
  }
  if (last.empty()) return "";
  const Summary summary = summarize(last);
  return fmt::format(" Router displacement at the end: {} (n = {}).", mean_sd(summary.mean, summary.sd, 3), summary.n);
}

}  // namespace

std::string gradient_accounts(const Material& material) {
  const std::vector<Panel> panels = panels_of(material);
  const Ranges ranges = ranges_of(panels);
  if (panels.empty()) return "";
  std::string out = "<div class=\"small-panels\">\n";
  for (size_t i = 0; i < panels.size(); ++i) {
    const RunGroup& group = *panels[i].group;
    const std::string name = with_cell(group.target + ", " + group.arm, group.cell);
    out += "<div>\n" + (panels[i].lines.empty() ? "<p class=\"meta\">" + typeset(name) + "</p>\n"
                                                : draw_panel(panels[i], ranges, i));
    out += "<p class=\"meta account\">" + typeset(zeros(group) + displacement(group)) + "</p>\n</div>\n";
  }
  return folded(
      fmt::format("Gradient accounts of {} targets, arms and cells", panels.size()),
      figure(out + "</div>\n",
             "Norm of the loss gradient in each part before clipping, mean over seeds, one panel a target and arm on "
             "the same axes. A step at which every seed's norm is exactly 0 has no point; such accounts are counted "
             "over all seeds. Router displacement: "
             "|now - initial| over |initial|, mean +/- sd over seeds."),
      panels.size() > most_open);
}

}  // namespace absorb::report
