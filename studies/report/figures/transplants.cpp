#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "studies/analysis/wording.h"
#include "studies/report/figures/chart.h"
#include "studies/report/figures/svg.h"
#include "studies/report/page/html.h"
#include "studies/report/page/parts.h"

namespace absorb::report {
namespace {

constexpr double square = 58, character = 7.9;
constexpr size_t longest_name = 20;
constexpr int levels = 8;  // heat-0 ... heat-8 of report/style.h

/// cost[backbone][routers]: mean cost in nats over seeds.
struct Matrix {
  std::string title;
  std::vector<std::string> rows, columns;
  std::map<std::string, std::map<std::string, double>> cost;
};

std::vector<std::string> in_order(const Study& study, const std::set<std::string>& arms) {
  std::vector<std::string> out;
  for (const ArmSpec& arm : study.arms)
    if (arms.contains(arm.name)) out.push_back(arm.name);
  return out;
}

/// Every deployment that ran with the routers of several arms in turn, by target and cell.
std::vector<Matrix> matrices_of(const Material& material) {
  std::vector<Matrix> matrices;
  for (const DeploymentSummary& row : material.analysis.deployments) {
    if (!row.key.starts_with(row.deployment + '.') || !std::isfinite(row.cost.mean)) continue;
    const std::string title = fmt::format("{}: {}", with_cell(row.target, row.cell), row.deployment);
    auto found = std::find_if(matrices.begin(), matrices.end(), [&](const Matrix& m) { return m.title == title; });
    if (found == matrices.end()) found = matrices.insert(matrices.end(), Matrix{title, {}, {}, {}});
    found->cost[row.arm][row.key.substr(row.deployment.size() + 1)] = row.cost.mean;
  }
  for (Matrix& matrix : matrices) {
    std::set<std::string> rows, columns;
    for (const auto& [arm, costs] : matrix.cost) {
      rows.insert(arm);
      for (const auto& [routers, cost] : costs) columns.insert(routers);
    }
    matrix.rows = in_order(material.study, rows);
    matrix.columns = in_order(material.study, columns);
  }
  return matrices;
}

double largest_of(const std::vector<Matrix>& matrices) {
  double largest = 0;
  for (const Matrix& matrix : matrices)
    for (const auto& [arm, costs] : matrix.cost)
      for (const auto& [routers, cost] : costs) largest = std::max(largest, std::abs(cost));
  return largest;
}

/// Costs and gains have a hue each; the number's sign tells them apart as well.
std::string heat_class(double cost, double largest) {
  const auto level = largest > 0 ? std::lround(levels * std::abs(cost) / largest) : 0;
  return fmt::format("heat{} heat-{}", cost < 0 ? " gain" : "", level);
}

void draw_square(Svg& svg, Point corner, double cost, double largest) {
  svg.rect(corner, square, square, heat_class(cost, largest));
  svg.text({corner.x + square / 2, corner.y + square / 2 + 4}, number(cost, largest < 100 ? 3 : 1), "value",
           Svg::Anchor::middle);
}

/// Where the squares begin: beside the names of the rows, below those of the columns.
Point corner_of(const Matrix& matrix) {
  const auto reach = [](const std::vector<std::string>& names) {
    size_t longest = 0;
    for (const std::string& name : names) longest = std::max(longest, std::min(name.size(), longest_name));
    return character * static_cast<double>(longest);
  };
  return {std::max(84.0, reach(matrix.rows) + 12), 54 + reach(matrix.columns)};
}

/// The matrix's squares; those where an arm keeps its own routers are outlined last, over their neighbours.
void draw_squares(Svg& svg, const Matrix& matrix, Point from, double largest) {
  const auto corner = [from](size_t row, size_t column) {
    return Point{from.x + square * static_cast<double>(column), from.y + square * static_cast<double>(row)};
  };
  for (size_t i = 0; i < matrix.rows.size(); ++i)
    for (size_t j = 0; j < matrix.columns.size(); ++j) {
      const auto& costs = matrix.cost.at(matrix.rows[i]);
      if (const auto found = costs.find(matrix.columns[j]); found != costs.end())
        draw_square(svg, corner(i, j), found->second, largest);
    }
  for (size_t i = 0; i < matrix.rows.size(); ++i)
    for (size_t j = 0; j < matrix.columns.size(); ++j)
      if (matrix.rows[i] == matrix.columns[j]) svg.rect(corner(i, j), square, square, "diagonal");
}

std::string draw(const Matrix& matrix, double largest, size_t number) {
  const auto [left, top] = corner_of(matrix);
  const double wide = square * static_cast<double>(matrix.columns.size()),
               tall = square * static_cast<double>(matrix.rows.size());
  Svg svg(fmt::format("transplant{}", number), std::max(left + wide + 4, 250.0), top + tall + 6,
          "Transplant matrix: " + matrix.title,
          "Heat map: one row for each arm's trained weights, one column for the arm whose trained routers stand in; "
          "each square holds the cost in nats per token. The table of deployments holds the same numbers.");
  svg.text({0, 16}, matrix.title, "strong");
  svg.text({left, 36}, "routers of", "soft");
  svg.text({left - 10, top - 10}, "weights of", "soft", Svg::Anchor::end);
  for (size_t j = 0; j < matrix.columns.size(); ++j)
    svg.vertical_text({left + square * (static_cast<double>(j) + 0.5) + 4, top - 8},
                      shortened(matrix.columns[j], longest_name), "", Svg::Anchor::start);
  for (size_t i = 0; i < matrix.rows.size(); ++i)
    svg.text({left - 10, top + square * (static_cast<double>(i) + 0.5) + 4}, shortened(matrix.rows[i], longest_name),
             "", Svg::Anchor::end);
  draw_squares(svg, matrix, {left, top}, largest);
  return svg.html();
}

std::string scale_bar(double largest) {
  Svg svg("transplant-scale", 420, 40, "Colour scale of the transplant matrices",
          fmt::format("From 0 to {} nats per token; the stronger, the larger.", number(largest, 3)));
  for (int level = 0; level <= levels; ++level)
    svg.rect({60 + 26.0 * level, 10}, 26, 18, fmt::format("heat heat-{}", level));
  svg.text({52, 24}, "0", "soft", Svg::Anchor::end);
  svg.text({60 + 26.0 * (levels + 1) + 8, 24}, number(largest, 3) + " nats", "soft");
  return svg.html();
}

}  // namespace

std::string transplants(const Material& material) {
  const std::vector<Matrix> matrices = matrices_of(material);
  if (matrices.empty()) return "";
  const double largest = largest_of(matrices);
  std::string out = "<div class=\"matrices\">\n";
  for (size_t i = 0; i < matrices.size(); ++i) out += draw(matrices[i], largest, i);
  return figure(out + "</div>\n" + scale_bar(largest),
                "Transplant matrix: what an arm's trained weights (row) cost under the trained routers of an arm "
                "(column), in nats per token above the native loss; mean over seeds. Outlined: the arm's own routers. "
                "One colour scale for all; a negative number, in the other hue, is a gain.");
}

}  // namespace absorb::report
