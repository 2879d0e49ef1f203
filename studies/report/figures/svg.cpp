#include "studies/report/figures/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "studies/report/page/html.h"

namespace absorb::report {
namespace {

std::string path_points(const std::vector<Point>& points) {
  std::string out;
  for (const Point& point : points) out += fmt::format("{:.1f},{:.1f} ", point.x, point.y);
  return out;
}

const char* name(Svg::Anchor anchor) {
  return anchor == Svg::Anchor::start ? "start" : anchor == Svg::Anchor::middle ? "middle" : "end";
}

}  // namespace

Svg::Svg(const std::string& id, double width, double height, const std::string& title, const std::string& description)
    : id_(id) {
  head_ = fmt::format(
      "<svg viewBox=\"0 0 {:g} {:g}\" style=\"max-width:{:g}px\" role=\"img\" aria-labelledby=\"{}-title {}-desc\">\n"
      "<title id=\"{}-title\">{}</title>\n<desc id=\"{}-desc\">{}</desc>\n",
      width, height, width, id, id, id, typeset(title), id, typeset(description));
}

void Svg::line(Point from, Point to, const std::string& style_class) {
  body_ += fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", from.x, from.y,
                       to.x, to.y, style_class);
}

void Svg::rect(Point corner, double width, double height, const std::string& style_class) {
  body_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"{}\"/>\n", corner.x,
                       corner.y, std::max(0.0, width), std::max(0.0, height), style_class);
}

void Svg::circle(Point center, double radius, const std::string& style_class) {
  body_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:g}\" class=\"{}\"/>\n", center.x, center.y, radius,
                       style_class);
}

void Svg::polyline(const std::vector<Point>& points, const std::string& style_class) {
  body_ += fmt::format("<polyline points=\"{}\" class=\"{}\"/>\n", path_points(points), style_class);
}

void Svg::polygon(const std::vector<Point>& points, const std::string& style_class) {
  body_ += fmt::format("<polygon points=\"{}\" class=\"{}\"/>\n", path_points(points), style_class);
}

void Svg::text(Point at, const std::string& content, const std::string& style_class, Anchor anchor) {
  body_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\" text-anchor=\"{}\">{}</text>\n", at.x, at.y,
                       style_class, name(anchor), typeset(content));
}

void Svg::vertical_text(Point at, const std::string& content, const std::string& style_class, Anchor anchor) {
  body_ += fmt::format(
      "<text x=\"{:.1f}\" y=\"{:.1f}\" transform=\"rotate(-90 {:.1f} {:.1f})\" class=\"{}\" text-anchor=\"{}\">{}"
      "</text>\n",
      at.x, at.y, at.x, at.y, style_class, name(anchor), typeset(content));
}

void Svg::curve(Point from, Point towards, Point against, Point to, const std::string& style_class) {
  body_ += fmt::format("<path d=\"M{:.1f},{:.1f}C{:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f}\" class=\"{}\"/>\n", from.x,
                       from.y, towards.x, towards.y, against.x, against.y, to.x, to.y, style_class);
}

void Svg::begin_group(const std::string& attributes, const std::string& tip) {
  body_ += fmt::format("<g {}>{}\n", attributes, tip.empty() ? "" : "<title>" + typeset(tip) + "</title>");
}

void Svg::end_group() {
  body_ += "</g>\n";
}

void Svg::begin_clip(Point corner, double width, double height) {
  const std::string clip = fmt::format("{}-clip{}", id_, clips_++);
  body_ += fmt::format(
      "<clipPath id=\"{}\"><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/></clipPath>\n"
      "<g clip-path=\"url(#{})\">\n",
      clip, corner.x, corner.y, width, height, clip);
}

void Svg::end_clip() {
  body_ += "</g>\n";
}

std::string Svg::html() const {
  return head_ + body_ + "</svg>\n";
}

Scale::Scale(double low, double high, double from, double to) : low_(low), high_(high), from_(from), to_(to) {
  if (high_ - low_ > 1e-12 * std::max(std::abs(low_), std::abs(high_))) return;
  const double spread = std::max(1e-3, std::abs(low_) * 0.05);
  low_ -= spread;
  high_ += spread;
}

double Scale::step(int wanted) const {
  const double rough = (high_ - low_) / std::max(1, wanted);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough * 0.999) return factor * power;
  return 10 * power;
}

std::vector<double> Scale::ticks(int wanted) const {
  const double distance = step(wanted);
  std::vector<double> ticks;
  for (double i = std::ceil(low_ / distance - 1e-9); i * distance <= high_ + 1e-9 * distance; ++i)
    ticks.push_back(i * distance == 0 ? 0 : i * distance);  // no -0
  return ticks;
}

std::string Scale::label(double tick, int wanted) const {
  const int decimals = std::clamp(static_cast<int>(-std::floor(std::log10(step(wanted)) + 1e-9)), 0, 6);
  return fmt::format("{:.{}f}", tick, decimals);
}

}  // namespace absorb::report
