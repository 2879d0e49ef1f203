// Recovery against the steps and the dimensions of adaptation.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "studies/analysis/wording.h"
#include "studies/report/compensation/compensation.h"
#include "studies/report/figures/chart.h"
#include "studies/report/page/html.h"

namespace absorb::report {
namespace {

constexpr double width = 334, height = 236;
constexpr Frame frame{66, 212, 30, 188};

/// A line of one figure: its name, class, and a summary at each place.
struct Line {
  std::string name, mark;
  std::vector<Summary> points;
};

struct Axis {
  std::string title;
  std::vector<double> places;  // 0 to 1
  std::vector<std::string> labels;
};

struct Plot {
  std::string title, unit;
  Axis axis;
  std::vector<Line> lines;
};

/// Half the 95 % interval where there is one: what the bands show.
Estimate point_at(double x, const Summary& summary) {
  const auto interval = t_interval(summary);
  return {x, summary.n > 0 ? summary.mean : std::nan(""), interval ? (interval->high - interval->low) / 2 : 0};
}

Axis steps_axis(const std::vector<RecoveryPoint>& points) {
  Axis axis{"steps of adaptation n", {}, {}};
  const double last = std::max(1.0, static_cast<double>(points.back().at));
  for (const RecoveryPoint& point : points) {
    axis.places.push_back(static_cast<double>(point.at) / last);
    axis.labels.push_back(std::to_string(point.at));
  }
  return axis;
}

Axis dimensions_axis(const std::vector<RecoveryPoint>& points) {
  Axis axis{"dimensions of adaptation m", {}, {}};
  for (std::size_t i = 0; i < points.size(); ++i) {
    axis.places.push_back((static_cast<double>(i) + 0.5) / static_cast<double>(points.size()));
    axis.labels.push_back(points[i].at == 0 ? "all" : std::to_string(points[i].at));
  }
  return axis;
}

Axis damage_axis(const std::vector<RecoveryPoint>& points) {
  Axis axis{"damage before adaptation, nats per token", {}, {}};
  for (std::size_t i = 0; i < points.size(); ++i) {
    axis.places.push_back((static_cast<double>(i) + 0.5) / static_cast<double>(points.size()));
    axis.labels.push_back(fmt::format("{:g}", points[i].damage));
  }
  return axis;
}

Line line_of(const std::string& name, const std::string& mark, const std::vector<RecoveryPoint>& points,
             Summary RecoveryPoint::*quantity) {
  Line line{name, mark, {}};
  for (const RecoveryPoint& point : points) line.points.push_back(point.*quantity);
  return line;
}

std::vector<Line> parts_of(const std::vector<RecoveryPoint>& points) {
  return {line_of("all", "arm-7", points, &RecoveryPoint::all),
          line_of("other layers", "arm-1", points, &RecoveryPoint::cross),
          line_of("module", "arm-0", points, &RecoveryPoint::module),
          line_of("rest of layer", "arm-2", points, &RecoveryPoint::rest)};
}

/// Every mean and 0, and intervals as far as half of what the means reach.
Scale values_of(const std::vector<Plot>& plots) {
  double low = 0, high = 0;
  const auto each = [&](const auto& visit) {
    for (const Plot& plot : plots)
      for (const Line& line : plot.lines)
        for (const Summary& summary : line.points)
          if (const Estimate at = point_at(0, summary); std::isfinite(at.mean)) visit(at);
  };
  each([&](const Estimate& at) {
    low = std::min(low, at.mean);
    high = std::max(high, at.mean);
  });
  const double room = 0.5 * (high - low), lowest = low - room, highest = high + room;
  each([&](const Estimate& at) {
    low = std::min(low, std::max(at.mean - at.sd, lowest));
    high = std::max(high, std::min(at.mean + at.sd, highest));
  });
  const double air = 0.04 * (high - low);
  return {low - air, high + air, frame.bottom, frame.top};
}

std::string draw(const Plot& plot, const Scale& y, const std::string& id) {
  Svg svg(id, width, height, "Recovery: " + plot.title,
          "One line a part with a band of the 95 % interval over seeds, against " + plot.axis.title + ".");
  const auto x = [](double place) { return frame.left + place * (frame.right - frame.left); };
  svg.text({0, 16}, shortened(plot.title, 48), "strong");
  draw_value_axis(svg, frame, y, 4, plot.unit);
  std::vector<double> places;
  for (double place : plot.axis.places) places.push_back(x(place));
  draw_places(svg, frame, places, plot.axis.labels, plot.axis.title);
  if (y.low() < 0) svg.line({frame.left, y(0)}, {frame.right, y(0)}, "zero");
  svg.begin_clip({frame.left, frame.top}, frame.right - frame.left, frame.bottom - frame.top);
  std::vector<EndLabel> ends;
  for (const Line& line : plot.lines) {
    std::vector<Estimate> points;
    for (std::size_t i = 0; i < line.points.size(); ++i) points.push_back(point_at(places[i], line.points[i]));
    std::erase_if(points, [](const Estimate& point) { return !std::isfinite(point.mean); });
    draw_band(svg, points, y, line.mark);
    for (const Estimate& point : points) svg.circle({point.x, y(point.mean)}, 2.6, "dot " + line.mark);
    if (!points.empty()) ends.push_back({line.name, {points.back().x, y(points.back().mean)}, line.mark});
  }
  svg.end_clip();
  draw_end_labels(svg, frame, std::move(ends));
  return svg.html();
}

bool any_value(const Plot& plot) {
  for (const Line& line : plot.lines)
    for (const Summary& summary : line.points)
      if (summary.n > 0) return true;
  return false;
}

using Points = std::vector<RecoveryPoint> RecoveryCurve::*;

/// Panels of the parts, one for each target and kind on one scale, and one of the shares of all.
std::string panels_over(const std::vector<RecoveryCurve>& curves, Points over, const std::string& id,
                        Axis (*axis_of)(const std::vector<RecoveryPoint>&)) {
  std::vector<Plot> plots;
  Plot shares{"cross-layer share", "share", {}, {}};
  for (const RecoveryCurve& curve : curves) {
    const auto& points = curve.*over;
    if (points.size() < 2) continue;
    const std::string label = curve_label(curve.target, curve.kind);
    plots.push_back({label, "nats per token", axis_of(points), parts_of(points)});
    if (shares.lines.empty()) shares.axis = plots.back().axis;
    if (shares.axis.places.size() == points.size())  // where targets differ in their points, the first one's
      shares.lines.push_back(line_of(label, fmt::format("arm-{}", shares.lines.size()), points, &RecoveryPoint::share));
  }
  if (plots.empty()) return "";
  const Scale y = values_of(plots);
  std::string out = "<div class=\"small-panels\">\n";
  for (std::size_t i = 0; i < plots.size(); ++i) out += draw(plots[i], y, fmt::format("{}{}", id, i));
  if (any_value(shares)) out += draw(shares, values_of({shares}), id + "-share");
  return out + "</div>\n";
}

}  // namespace

std::string compensation_curves(const CompensationResults& results) {
  const std::vector<RecoveryCurve> curves = recovery_curves(results);
  const std::string over_steps = panels_over(curves, &RecoveryCurve::over_steps, "steps", steps_axis),
                    over_dimensions =
                        panels_over(curves, &RecoveryCurve::over_dimensions, "dimensions", dimensions_axis);
  const std::string over_damage = panels_over(curves, &RecoveryCurve::over_damage, "damage", damage_axis);
  if (over_steps.empty() && over_dimensions.empty() && over_damage.empty()) return "";
  const auto shown = [](const std::string& panels, const std::string& caption) {
    const std::string bands =
        " Line: mean over seeds of the mean over a run's layers; band: 95 % t interval over seeds, cut at the frame. "
        "One scale for all panels in nats.";
    return panels.empty() ? "" : anchored(figure(panels, caption + bands), "recovery");
  };
  return subheading("compensation-curves", "Does the answer depend on how long and how freely parts adapt?") +
         paragraph(
             "The share of the other layers ought not to hang on one choice of steps, dimensions and damage. Each "
             "panel shows how much is recovered by everything together, and how that divides; lines that "
             "keep their order along the axis mean that the choice does not matter.") +
         shown(over_steps, "Recovery against the steps of adaptation, in the headline's dimension.") +
         shown(over_dimensions,
               "Recovery against the dimension of the subspace that parts adapt in, after the last step; all: every "
               "coordinate, so that large parts can do more. Places are evenly spaced.") +
         shown(over_damage,
               "Recovery against what every disturbance costs before adaptation (compensation.damage_doublings), in "
               "the headline's dimension after the last step; runs count where the whole swap of each of their routers "
               "costs as much. Places are evenly spaced.");
}

}  // namespace absorb::report
