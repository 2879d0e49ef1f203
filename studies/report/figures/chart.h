// What the page's line figures share: a frame with a value axis, bands of mean +- sd, and names at the ends of lines.
#pragma once

#include <string>
#include <vector>

#include "statistics/summary.h"
#include "studies/report/figures/svg.h"

namespace absorb::report {

/// The plot's rectangle in view-box units.
struct Frame {
  double left = 0, right = 0, top = 0, bottom = 0;
};

/// A grid line with its number at every tick, the base line, and `title` upwards along the left edge of the view box.
void draw_value_axis(Svg& svg, const Frame& frame, const Scale& y, int ticks, const std::string& title);
/// Ticks and numbers under the frame. A label that would touch the one before it is left out.
void draw_places(Svg& svg, const Frame& frame, const std::vector<double>& xs, const std::vector<std::string>& labels,
                 const std::string& title);

/// Mean +- sd at x; all in view-box units of `x` and values of `y`. sd counts as 0 where it is not finite.
struct Estimate {
  double x = 0, mean = 0, sd = 0;
};
Estimate estimate_at(double x, const Summary& summary);
/// The line of means over its band, in the class of an arm. Points without a mean are left out.
void draw_band(Svg& svg, const std::vector<Estimate>& points, const Scale& y, const std::string& mark);

/// The name of a line, at its right end.
struct EndLabel {
  std::string text;
  Point end;
  std::string mark;  // class of its line
};
/// Right of the frame, each with a leader from its line's end; moved apart where they would overlap.
void draw_end_labels(Svg& svg, const Frame& frame, std::vector<EndLabel> labels);

/// At most about `most` characters (bytes of UTF-8), with an ellipsis in the middle where something was cut: names of
/// arms differ at their ends.
std::string shortened(const std::string& text, size_t most);

}  // namespace absorb::report
