#include <algorithm>
#include <cmath>

#include "core/numbers.h"
#include "studies/analysis/rows/quantities.h"
#include "studies/analysis/rows/rows.h"

namespace absorb {
namespace {

struct Point {
  double dose = nan;
  const ContrastResult* contrast = nullptr;
};

// Least squares, one seed.
double slope_of(const std::vector<double>& x, const std::vector<double>& y) {
  const double mx = summarize(x).mean, my = summarize(y).mean;
  double xy = 0, xx = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mx) * (y[i] - my);
    xx += (x[i] - mx) * (x[i] - mx);
  }
  return xx > 0 ? xy / xx : nan;
}

double as_number(const std::string& text) {
  if (text == "false" || text == "true") return text == "true";
  size_t used = 0;
  try {
    const double value = std::stod(text, &used);
    return used == text.size() ? value : nan;
  } catch (const std::exception&) {
    return nan;
  }
}

std::optional<DoseResult> fit(std::vector<Point> points, DoseResult result) {
  std::erase_if(points, [](const Point& point) { return !std::isfinite(point.dose); });
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.dose < b.dose; });
  if (points.size() < 2 || points.front().dose == points.back().dose) return std::nullopt;
  result.logarithmic = points.front().dose > 0;
  std::vector<double> x, slopes;
  std::vector<std::map<int64_t, double>> by_point;
  for (const Point& point : points) {
    result.doses.push_back(point.dose);
    x.push_back(result.logarithmic ? std::log2(point.dose) : point.dose);
    const Quantity quantity = quantity_of(*point.contrast, result.quantity);
    result.points.push_back(summarize(quantity.by_seed()));
    by_point.push_back(numbers_by_seed(quantity));
  }
  for (const int64_t seed : points.front().contrast->seeds) {
    std::vector<double> y;
    for (const auto& numbers : by_point)
      if (const auto found = numbers.find(seed); found != numbers.end()) y.push_back(found->second);
    if (y.size() == x.size()) slopes.push_back(slope_of(x, y));
  }
  const Paired slope = paired(slopes);
  result.n = slope.n;
  result.slope = slope.mean;
  result.sd = slope.sd;
  result.p_t = slope.p_t;
  result.ci95 = slope.ci95;
  return result;
}

// Router parameters over a denominator of science.md section 2, in the treatment's runs of a cell.
double share(const std::vector<RunGroup>& groups, const ContrastResult& contrast,
             int64_t ParameterCounts::*denominator) {
  const RunGroup* group = find_group(groups, contrast.treatment, contrast.target, contrast.cell);
  if (group == nullptr || group->done.empty()) return nan;
  const ParameterCounts& counts = group->done.front()->parameters;
  if (counts.*denominator == 0) return nan;
  return static_cast<double>(counts.router) / static_cast<double>(counts.*denominator);
}

void along(const AxisSpec& axis, const std::vector<RunGroup>& groups, const std::vector<const ContrastResult*>& line,
           std::vector<DoseResult>& out) {
  const ContrastResult& first = *line.front();
  DoseResult empty;
  empty.contrast = first.name;
  empty.target = first.target;
  empty.axis = axis.key;
  empty.rest = first.cell;
  empty.rest.erase(axis.key);
  const std::pair<const char*, int64_t ParameterCounts::*> denominators[] = {
      {"value", nullptr},
      {"router / unique", &ParameterCounts::unique},
      {"router / untied", &ParameterCounts::untied},
      {"router / non-embedding", &ParameterCounts::non_embedding},
      {"router / module", &ParameterCounts::module}};
  for (const auto& [name, denominator] : denominators)
    for (const char* quantity : {"gap", "R"}) {
      std::vector<Point> points;
      for (const ContrastResult* contrast : line)
        points.push_back(
            {denominator == nullptr ? as_number(contrast->cell.at(axis.key)) : share(groups, *contrast, denominator),
             contrast});
      empty.dose = name;
      empty.quantity = quantity;
      if (auto result = fit(std::move(points), empty); result && result->n > 0) out.push_back(std::move(*result));
    }
}

}  // namespace

std::vector<DoseResult> make_doses(const Study& study, const std::vector<RunGroup>& groups,
                                   const std::vector<ContrastResult>& contrasts) {
  std::vector<DoseResult> out;
  for (const AxisSpec& axis : study.axes) {
    std::vector<const ContrastResult*> seen;
    for (const ContrastResult& first : contrasts) {
      if (!first.cell.contains(axis.key) || std::find(seen.begin(), seen.end(), &first) != seen.end()) continue;
      std::vector<const ContrastResult*> line;
      for (const ContrastResult& other : contrasts) {
        Cell mine = first.cell, its = other.cell;
        mine.erase(axis.key);
        its.erase(axis.key);
        if (other.name == first.name && other.target == first.target && mine == its) line.push_back(&other);
      }
      seen.insert(seen.end(), line.begin(), line.end());
      if (line.size() > 1) along(axis, groups, line, out);
    }
  }
  return out;
}

}  // namespace absorb
