// Severity attribution: bars of both kinds of router side by side, and their difference with its interval.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "studies/analysis/wording.h"
#include "studies/report/compensation/compensation.h"
#include "studies/report/figures/svg.h"
#include "studies/report/page/html.h"

namespace absorb::report {
namespace {

using enum Table::Kind;

constexpr double width = 500, left = 82, right = 292, top = 62, row_height = 78, bar = 17, foot = 44;

/// What stands beside the bars of one quantity.
const char* label_of(const std::string& quantity) {
  if (quantity == "cross") return "other layers";
  if (quantity == "module") return "module";
  return quantity == "rest" ? "rest of layer" : "all";
}

std::vector<const AttributionRow*> rows_in_nats(const Attribution& attribution) {
  std::vector<const AttributionRow*> rows;
  for (const AttributionRow& row : attribution.rows)
    if (row.unit == "nats") rows.push_back(&row);
  return rows;
}

/// Values and intervals, these as far as twice what the values reach: an interval of two seeds knows no bounds.
Scale axis_of(const std::vector<Attribution>& attributions) {
  double low = 0, high = 0;
  const auto each = [&](const auto& visit) {
    for (const Attribution& attribution : attributions)
      for (const AttributionRow* row : rows_in_nats(attribution)) {
        visit(summarize(row->attention).mean, t_interval(row->attention));
        visit(summarize(row->moe).mean, t_interval(row->moe));
        visit(row->mean, row->ci95);
      }
  };
  each([&](double mean, const std::optional<Interval>&) {
    if (!std::isfinite(mean)) return;
    low = std::min(low, mean);
    high = std::max(high, mean);
  });
  const double reach = high - low, lowest = low - reach, highest = high + reach;
  each([&](double, const std::optional<Interval>& interval) {
    if (!interval) return;
    low = std::min(low, std::max(interval->low, lowest));
    high = std::max(high, std::min(interval->high, highest));
  });
  return {low - 0.03 * (high - low), high + 0.03 * (high - low), left, right};
}

void draw_interval(Svg& svg, const Scale& x, const std::optional<Interval>& interval, double y) {
  if (!interval) return;
  const double from = std::max(interval->low, x.low()), to = std::min(interval->high, x.high());
  if (from > to) return;
  svg.line({x(from), y}, {x(to), y}, "whisker");
  if (from == interval->low) svg.line({x(from), y - 4}, {x(from), y + 4}, "whisker");
  if (to == interval->high) svg.line({x(to), y - 4}, {x(to), y + 4}, "whisker");
}

void draw_bar(Svg& svg, const Scale& x, const std::vector<double>& values, double y, const std::string& target) {
  const Summary summary = summarize(values);
  if (!std::isfinite(summary.mean)) return;
  const double from = x(std::min(0.0, summary.mean)), to = x(std::max(0.0, summary.mean));
  svg.rect({from, y - bar / 2}, to - from, bar, "bar target-" + target);
  draw_interval(svg, x, t_interval(values), y);
  svg.text({right + 14, y + 4},
           fmt::format("{} {}", number(summary.mean, nats_digits), bracketed(t_interval(values), 4)), "label");
}

void draw_difference(Svg& svg, const Scale& x, const AttributionRow& row, double y) {
  if (!std::isfinite(row.mean)) return;
  draw_interval(svg, x, row.ci95, y);
  svg.circle({x(row.mean), y}, 4, "dot");
  svg.text({right + 14, y + 4}, fmt::format("{} {}", signed_number(row.mean, nats_digits), bracketed(row.ci95, 4)),
           "label");
}

void draw_key(Svg& svg) {
  double x = 0;
  for (const auto& [target, meaning] :
       {std::pair("attention", "attention routers"), std::pair("moe", "expert routers")}) {
    svg.rect({x, 30}, 20, 12, std::string("bar target-") + target);
    svg.text({x + 26, 40}, meaning, "soft");
    x += 140;
  }
  svg.line({x, 36}, {x + 20, 36}, "whisker");
  svg.circle({x + 10, 36}, 4, "dot");
  svg.text({x + 26, 40}, "difference", "soft");
}

std::string draw(const Attribution& attribution, const Scale& x, std::size_t number) {
  const auto rows = rows_in_nats(attribution);
  const double bottom = top + row_height * static_cast<double>(rows.size());
  const std::string where = attribution.between == "within both" ? "Within target both" : "Between the twins";
  Svg svg(fmt::format("attribution{}", number), width, bottom + foot, "Attribution: " + where,
          "For each part, what it recovers for attention routers and for expert routers, and the difference. The table "
          "below holds the same numbers.");
  svg.text({0, 16}, fmt::format("{} (n = {})", where, rows.empty() ? 0 : rows.front()->seeds.size()), "strong");
  draw_key(svg);
  for (double tick : x.ticks(4)) {
    svg.line({x(tick), top}, {x(tick), bottom}, "grid");
    svg.text({x(tick), bottom + 16}, x.label(tick, 4), "soft", Svg::Anchor::middle);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double y = top + row_height * static_cast<double>(i);
    if (i > 0) svg.line({0, y}, {width, y}, "grid");
    svg.text({0, y + row_height / 2 + 4}, label_of(rows[i]->quantity), rows[i]->quantity == "cross" ? "strong" : "");
    draw_bar(svg, x, rows[i]->attention, y + 16, "attention");
    draw_bar(svg, x, rows[i]->moe, y + 37, "moe");
    draw_difference(svg, x, *rows[i], y + 61);
  }
  svg.line({x(0), top}, {x(0), bottom}, "axis");
  svg.text({(left + right) / 2, bottom + 36}, "recovered nats per token", "soft", Svg::Anchor::middle);
  return svg.html();
}

std::string table_of(const std::vector<Attribution>& attributions) {
  Table table(
      "Attribution: what is recovered for attention routers and for expert routers, mean over the layers of one run, "
      "then "
      "over n seeds; difference attention - experts, paired by seed, with its 95 % t interval. Nats per token; share = "
      "cross / all as a ratio of means over layers. Not adjusted for the number of rows: the claim is the first.");
  table.column("Between", words).column("Quantity", words).column("n").column("Attention").column("Experts");
  table.column("Difference").column("sd").column("95 %").column("p, t").column("Verdict", words);
  for (const Attribution& attribution : attributions)
    for (const AttributionRow& row : attribution.rows) {
      const int digits = row.unit == "nats" ? nats_digits : 3;
      table.row({row.between, row.quantity, std::to_string(row.seeds.size()),
                 number(summarize(row.attention).mean, digits), number(summarize(row.moe).mean, digits),
                 signed_number(row.mean, digits), number(row.sd, digits), bracketed(row.ci95, digits), p_value(row.p_t),
                 row.quantity == "cross" ? attribution.verdict : ""});
    }
  return table.html();
}

std::string left_out(const Attribution& attribution) {
  std::string items;
  for (const std::string& each : attribution.left_out) items += "<li>" + typeset(each) + "</li>\n";
  if (items.empty()) return "";
  return folded(fmt::format("Left out of {}: {}", attribution.between, attribution.left_out.size()),
                "<ul class=\"notes\">\n" + items + "</ul>\n", true);
}

}  // namespace

std::string compensation_attribution(const CompensationResults& results) {
  if (results.attributions.empty()) return "";
  std::string verdicts, panels, omissions;
  const Scale x = axis_of(results.attributions);
  for (std::size_t i = 0; i < results.attributions.size(); ++i) {
    const Attribution& attribution = results.attributions[i];
    verdicts += fmt::format("<li class=\"{0}\"><span class=\"tag {0}\">{1}</span>{2}</li>\n",
                            attribution.verdict.starts_with("undecided") ? "open" : "decided",
                            typeset(attribution.verdict), typeset(claim_answer(attribution)));
    panels += draw(attribution, x, i);
    omissions += left_out(attribution);
  }
  const std::string bars = figure(
      "<div class=\"panels\">\n" + panels + "</div>\n",
      "Shapley values of what is recovered by the router's own module (Q, K, V and O, or the experts), the rest of "
      "its layer, and all other layers; they sum to all. Bars: mean over seeds; lines: 95 % t intervals, of the "
      "difference paired by seed. A line without an end goes on beyond the axis.");
  return subheading("compensation-attribution", "Where the severity comes from") +
         paragraph(
             "The paper says that attention absorbs its routing more because other layers make up for it. If that is "
             "so, the first pair of bars differs: other layers recover more for attention's routers than for the "
             "experts', and the interval of the difference lies above 0. Below 0 it contradicts the claim.") +
         "<ul class=\"answers\">\n" + verdicts + "</ul>\n" + anchored(bars, "attribution") +
         anchored(table_of(results.attributions), "attribution") + omissions;
}

}  // namespace absorb::report
