#include "studies/report/figures/chart.h"

#include <algorithm>
#include <cmath>

namespace absorb::report {
namespace {

constexpr double label_height = 14, character = 6.6;  // of the page's 11.5 px labels

}  // namespace

void draw_value_axis(Svg& svg, const Frame& frame, const Scale& y, int ticks, const std::string& title) {
  for (double tick : y.ticks(ticks)) {
    svg.line({frame.left, y(tick)}, {frame.right, y(tick)}, "grid");
    svg.text({frame.left - 7, y(tick) + 4}, y.label(tick, ticks), "soft", Svg::Anchor::end);
  }
  svg.line({frame.left, frame.bottom}, {frame.right, frame.bottom}, "axis");
  svg.vertical_text({13, (frame.top + frame.bottom) / 2}, title, "soft");
}

void draw_places(Svg& svg, const Frame& frame, const std::vector<double>& xs, const std::vector<std::string>& labels,
                 const std::string& title) {
  double free_from = -1e9;
  for (size_t i = 0; i < xs.size(); ++i) {
    svg.line({xs[i], frame.bottom}, {xs[i], frame.bottom + 4}, "axis");
    const double half = character * static_cast<double>(labels[i].size()) / 2;
    if (xs[i] - half < free_from) continue;
    svg.text({xs[i], frame.bottom + 18}, labels[i], "soft", Svg::Anchor::middle);
    free_from = xs[i] + half + 6;
  }
  svg.text({(frame.left + frame.right) / 2, frame.bottom + 37}, title, "soft", Svg::Anchor::middle);
}

Estimate estimate_at(double x, const Summary& summary) {
  return {x, summary.n > 0 ? summary.mean : std::nan(""), std::isfinite(summary.sd) ? summary.sd : 0};
}

void draw_band(Svg& svg, const std::vector<Estimate>& points, const Scale& y, const std::string& mark) {
  std::vector<Point> mean, around, below;
  for (const Estimate& point : points) {
    if (!std::isfinite(point.mean)) continue;
    mean.push_back({point.x, y(point.mean)});
    around.push_back({point.x, y(point.mean + point.sd)});
    below.push_back({point.x, y(point.mean - point.sd)});
  }
  if (mean.size() < 2) return;
  around.insert(around.end(), below.rbegin(), below.rend());
  svg.polygon(around, "spread " + mark);
  svg.polyline(mean, "curve " + mark);
}

void draw_end_labels(Svg& svg, const Frame& frame, std::vector<EndLabel> labels) {
  std::stable_sort(labels.begin(), labels.end(),
                   [](const EndLabel& a, const EndLabel& b) { return a.end.y < b.end.y; });
  std::vector<double> places;
  for (const EndLabel& label : labels) {
    const double wanted = std::clamp(label.end.y, frame.top, frame.bottom);
    places.push_back(places.empty() ? wanted : std::max(wanted, places.back() + label_height));
  }
  double lowest = frame.bottom;
  for (size_t i = places.size(); i-- > 0; lowest -= label_height) {
    places[i] = std::min(places[i], lowest);
    lowest = places[i];
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    svg.line(labels[i].end, {frame.right + 16, places[i]}, "leader " + labels[i].mark);
    svg.text({frame.right + 20, places[i] + 4}, labels[i].text, "label");
  }
}

std::string shortened(const std::string& text, size_t most) {
  if (text.size() <= most) return text;
  const auto whole = [&text](size_t at) {  // not within a character
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
    return at;
  };
  return text.substr(0, whole(most / 2)) + "\u2026" + text.substr(whole(text.size() - (most - most / 2) + 1));
}

}  // namespace absorb::report
