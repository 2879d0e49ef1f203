#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "studies/analysis/wording.h"
#include "studies/report/figures/chart.h"
#include "studies/report/page/html.h"
#include "studies/report/page/parts.h"

namespace absorb::report {
namespace {

using enum Table::Kind;
using Rows = std::vector<const DoseResult*>;

constexpr double width = 520, height = 300;
constexpr Frame frame{66, 396, 34, 246};
constexpr double apart = 5;  // between the targets' bars at one dose

std::string last_part(const std::string& key) {
  return key.substr(key.rfind('.') + 1);
}

std::string unit_of(const DoseResult& row) {
  return row.quantity == "gap" ? "gap, nats per token" : "absorbed fraction R";
}

double place_of(const DoseResult& row, double dose) {
  return row.logarithmic ? std::log2(dose) : dose;
}

bool alike(const DoseResult& a, const DoseResult& b) {
  return a.contrast == b.contrast && a.axis == b.axis && a.rest == b.rest;
}

/// Targets of one contrast, axis and quantity, which share a panel.
std::vector<Rows> panels_of(const std::vector<DoseResult>& doses) {
  std::vector<Rows> panels;
  for (const DoseResult& row : doses) {
    if (row.dose != "value") continue;
    auto found = std::find_if(panels.begin(), panels.end(), [&row](const Rows& rows) {
      const DoseResult& first = *rows.front();
      return alike(first, row) && first.quantity == row.quantity && first.logarithmic == row.logarithmic;
    });
    if (found == panels.end()) found = panels.insert(panels.end(), Rows{});
    found->push_back(&row);
  }
  return panels;
}

/// The axis of a gap holds 0, where nothing is lost; that of R shows what there is.
Scale values_of(const Rows& rows) {
  const bool from_zero = rows.front()->quantity == "gap";
  double low = from_zero ? 0 : INFINITY, high = from_zero ? 0 : -INFINITY;
  for (const DoseResult* row : rows)
    for (const Summary& point : row->points) {
      const Estimate at = estimate_at(0, point);
      if (!std::isfinite(at.mean)) continue;
      low = std::min(low, at.mean - at.sd);
      high = std::max(high, at.mean + at.sd);
    }
  const double air = 0.06 * (high - low);
  return {low - air, high + air, frame.bottom, frame.top};
}

Scale places_of(const Rows& rows) {
  double low = place_of(*rows.front(), rows.front()->doses.front()), high = low;
  for (const DoseResult* row : rows) {
    low = std::min(low, place_of(*row, row->doses.front()));
    high = std::max(high, place_of(*row, row->doses.back()));
  }
  const double air = 0.07 * (high - low);
  return {low - air, high + air, frame.left, frame.right};
}

/// A circle, a square or a triangle: a target can be told by its mark's shape.
void draw_mark(Svg& svg, const std::string& target, Point at) {
  const std::string mark = "dot target-" + target;
  if (target == "attention")
    svg.circle(at, 4.5, mark);
  else if (target == "moe")
    svg.rect({at.x - 4.2, at.y - 4.2}, 8.4, 8.4, mark);
  else
    svg.polygon({{at.x, at.y - 5.5}, {at.x + 5, at.y + 4}, {at.x - 5, at.y + 4}}, mark);
}

/// The mean slope through the middle of the points: least squares, as the slope itself.
void draw_fit(Svg& svg, const DoseResult& row, const Scale& x, const Scale& y) {
  std::vector<double> places, means;
  for (size_t i = 0; i < row.doses.size(); ++i) {
    if (row.points[i].n == 0 || !std::isfinite(row.points[i].mean)) continue;
    places.push_back(place_of(row, row.doses[i]));
    means.push_back(row.points[i].mean);
  }
  if (places.size() < 2 || !std::isfinite(row.slope)) return;
  const double middle = summarize(places).mean, value = summarize(means).mean;
  const auto at = [&](double place) { return Point{x(place), y(value + row.slope * (place - middle))}; };
  svg.line(at(places.front()), at(places.back()), "fit target-" + row.target);
}

void draw_target(Svg& svg, const DoseResult& row, const Scale& x, const Scale& y, double shift) {
  draw_fit(svg, row, x, y);
  for (size_t i = 0; i < row.doses.size(); ++i) {
    const Estimate at = estimate_at(x(place_of(row, row.doses[i])) + shift, row.points[i]);
    if (!std::isfinite(at.mean)) continue;
    svg.line({at.x, y(at.mean - at.sd)}, {at.x, y(at.mean + at.sd)}, "whisker target-" + row.target);
    draw_mark(svg, row.target, {at.x, y(at.mean)});
  }
}

void draw_doses(Svg& svg, const Rows& rows, const Scale& x) {
  std::vector<double> doses;
  for (const DoseResult* row : rows) doses.insert(doses.end(), row->doses.begin(), row->doses.end());
  std::sort(doses.begin(), doses.end());
  doses.erase(std::unique(doses.begin(), doses.end()), doses.end());
  std::vector<double> places;
  std::vector<std::string> labels;
  for (double dose : doses) {
    places.push_back(x(place_of(*rows.front(), dose)));
    labels.push_back(dose >= 1e4 ? short_count(dose) : fmt::format("{:g}", dose));
  }
  const DoseResult& first = *rows.front();
  draw_places(svg, frame, places, labels, last_part(first.axis) + (first.logarithmic ? " (logarithmic)" : ""));
}

std::string draw_panel(const Rows& rows, size_t number) {
  const DoseResult& first = *rows.front();
  const std::string title = fmt::format("{}: {} against {}{}", first.contrast, first.quantity, last_part(first.axis),
                                        first.rest.empty() ? "" : " at " + cell_label(first.rest));
  Svg svg(fmt::format("dose{}", number), width, height, title,
          "One mark a dose and target with a bar of one standard deviation over seeds, and the fitted line. The table "
          "below holds the slopes.");
  const Scale x = places_of(rows), y = values_of(rows);
  svg.text({frame.left, 20}, shortened(title, 62), "strong");
  draw_value_axis(svg, frame, y, 5, unit_of(first));
  if (y.low() <= 0 && y.high() >= 0) svg.line({frame.left, y(0)}, {frame.right, y(0)}, "zero");
  draw_doses(svg, rows, x);
  for (size_t i = 0; i < rows.size(); ++i) {
    const double shift = apart * (static_cast<double>(i) - (static_cast<double>(rows.size()) - 1) / 2);
    draw_target(svg, *rows[i], x, y, shift);
    const double line = frame.top + 14 + 20 * static_cast<double>(i);
    draw_mark(svg, rows[i]->target, {frame.right + 22, line - 4});
    svg.text({frame.right + 34, line}, rows[i]->target, "");
  }
  return svg.html();
}

std::string slopes(const Rows& rows) {
  const DoseResult& first = *rows.front();
  std::string out = fmt::format(" Slope of {} for each {}: ", first.quantity == "gap" ? "the gap in nats" : "R",
                                first.logarithmic ? "doubling" : "unit");
  for (size_t i = 0; i < rows.size(); ++i)
    out += fmt::format("{}{} {} {} (n = {})", i > 0 ? "; " : "", rows[i]->target, signed_number(rows[i]->slope),
                       bracketed(rows[i]->ci95), rows[i]->n);
  return out + ".";
}

std::string dose_table(const std::vector<DoseResult>& doses) {
  Table table(
      "Doses: slope of the gap (nats per token) and of R along an axis, fitted for every seed; 95 % t interval over n "
      "seeds. Of: the axis' own value, or the router's parameters over one of four denominators. Per doubling: doses "
      "that are all positive count by their logarithm to base 2. p values are not adjusted.");
  table.column("Contrast", words).column("Target", words).column("Cell", words).column("Axis", words);
  table.column("Of", words).column("Quantity", words).column("Slope").column("Per", words).column("n").column("sd");
  table.column("95 %").column("p, t");
  for (const DoseResult& row : doses)
    table.row({row.contrast, row.target, cell_label(row.rest), last_part(row.axis), row.dose, row.quantity,
               signed_number(row.slope), row.logarithmic ? "doubling" : "unit", std::to_string(row.n), number(row.sd),
               bracketed(row.ci95), p_value(row.p_t)});
  return table.html();
}

}  // namespace

std::string doses(const Material& material) {
  const std::vector<Rows> panels = panels_of(material.analysis.doses);
  std::string out;
  for (size_t i = 0; i < panels.size();) {  // the panels of one contrast and axis make one figure
    const DoseResult& first = *panels[i].front();
    std::string content = "<div class=\"panels\">\n";
    std::string caption =
        "Marks and bars: mean +/- 1 sd over seeds. Line: mean of the slopes fitted for every seed, through the middle "
        "of "
        "the marks; in brackets: 95 % t interval.";
    for (; i < panels.size() && alike(first, *panels[i].front()); ++i) {
      content += draw_panel(panels[i], i);
      caption += slopes(panels[i]);
    }
    out += figure(content + "</div>\n", caption);
  }
  return out + dose_table(material.analysis.doses);
}

}  // namespace absorb::report
