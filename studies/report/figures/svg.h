// Inline SVG: a few marks in the units of its own view box, styled by the classes of report/style.h, so that a figure
// follows light and dark. Text is escaped.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace absorb::report {

struct Point {
  double x = 0, y = 0;
};

class Svg {
 public:
  /// `title` and `description` are what a screen reader says; `id` is unique on the page.
  Svg(const std::string& id, double width, double height, const std::string& title, const std::string& description);

  enum class Anchor { start, middle, end };
  void line(Point from, Point to, const std::string& style_class);
  void rect(Point corner, double width, double height, const std::string& style_class);
  void circle(Point center, double radius, const std::string& style_class);
  void polyline(const std::vector<Point>& points, const std::string& style_class);
  void polygon(const std::vector<Point>& points, const std::string& style_class);
  void text(Point at, const std::string& content, const std::string& style_class, Anchor anchor = Anchor::start);
  /// Text that runs upwards, centred on `at` (Anchor::start: from there on).
  void vertical_text(Point at, const std::string& content, const std::string& style_class,
                     Anchor anchor = Anchor::middle);
  /// A cubic Bezier curve: `towards` and `against` are the control points of its beginning and its end.
  void curve(Point from, Point towards, Point against, Point to, const std::string& style_class);
  /// What is drawn until end_group() belongs together: `attributes` as they stand in the tag, `tip` is what a pointer
  /// over it shows (escaped; none where empty).
  void begin_group(const std::string& attributes, const std::string& tip = "");
  void end_group();
  /// What is drawn until end_clip() shows only inside the rectangle.
  void begin_clip(Point corner, double width, double height);
  void end_clip();
  /// The whole element.
  std::string html() const;

 private:
  std::string id_, head_, body_;
  int clips_ = 0;
};

/// A linear axis: values to view-box units, and round ticks.
class Scale {
 public:
  /// Values [low, high] onto [from, to] (from > to for an axis that points up). An empty range is widened.
  Scale(double low, double high, double from, double to);
  double operator()(double value) const { return from_ + (value - low_) / (high_ - low_) * (to_ - from_); }
  double low() const { return low_; }
  double high() const { return high_; }
  /// About `wanted` multiples of 1, 2 or 5 times a power of ten.
  std::vector<double> ticks(int wanted) const;
  /// As many decimals as the ticks need.
  std::string label(double tick, int wanted) const;

 private:
  double step(int wanted) const;
  double low_, high_, from_, to_;
};

}  // namespace absorb::report
