#include "studies/report/compensation/compensation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "studies/analysis/wording.h"
#include "studies/report/page/html.h"
#include "studies/report/page/parts.h"

namespace absorb::report {
namespace {

/// The least and the most of a number that runs may differ in.
struct Span {
  double low = INFINITY, high = -INFINITY;
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  std::string text() const {
    const auto whole = [](double value) { return value == 0 ? std::string("0") : count(value); };
    return low >= high ? whole(high) : whole(low) + " to " + whole(high);
  }
};

std::string listed(const std::set<std::string>& values) {
  return join({values.begin(), values.end()}, " or ");
}

/// What recovery was measured with, read from its results.
std::string recovery_settings(const CompensationResults& results) {
  std::set<std::string> steps, dimensions, damages;
  Span draws, sequences, tokens;
  for (const RunRecoveries& run : results.recoveries)
    for (const RecoveryResult& result : run.results) {
      std::vector<std::string> list, sizes;
      for (int64_t step : result.steps) list.push_back(std::to_string(step));
      for (const CapacityResult& capacity : result.capacities)
        sizes.push_back(capacity.dimension == 0 ? "all" : std::to_string(capacity.dimension));
      steps.insert(join(list));
      dimensions.insert(join(sizes));
      damages.insert(result.damage == 0 ? "whole swaps" : fmt::format("{:g} nats", result.damage));
      draws.add(static_cast<double>(result.draws));
      sequences.add(static_cast<double>(result.sequences));
      tokens.add(static_cast<double>(result.tokens));
    }
  if (steps.empty()) return "";
  return fmt::format(
      "Steps n: {}; dimensions m: {} (the last steps and the first dimension are the headline); damage: {}; {} draws; "
      "{} "
      "held-out sequences, {} tokens. ",
      listed(steps), listed(dimensions), listed(damages), draws.text(), sequences.text(), tokens.text());
}

/// Settings that a measure left among its details: plain numbers and words at the top.
std::string detail_settings(const std::vector<const Measurement*>& measurements) {
  std::map<std::string, std::set<std::string>> values;
  for (const Measurement* measurement : measurements)
    if (measurement->details.is_object())
      for (const auto& [name, value] : measurement->details.items())
        if (value.is_number() || value.is_string())
          values[name].insert(value.is_string() ? value.get<std::string>() : fmt::format("{:g}", value.get<double>()));
  std::string out;
  for (const auto& [name, all] : values)
    if (all.size() <= 3) out += (out.empty() ? "" : ", ") + fmt::format("{} {}", name, listed(all));
  return out.empty() ? "" : out + ". ";
}

std::string cost_of(const std::vector<const Measurement*>& measurements, const std::string& measure) {
  double seconds = 0;
  Span samples;
  for (const Measurement* measurement : measurements) {
    seconds += measurement->seconds;
    for (const GraphEdge& edge : measurement->edges)
      if (edge.measure == measure && edge.samples > 0) samples.add(static_cast<double>(edge.samples));
  }
  return fmt::format("{} samples an edge; {} runs, {} s of measuring in all.", samples.high < 0 ? "-" : samples.text(),
                     measurements.size(), number(seconds, seconds < 10 ? 1 : 0));
}

std::string notes_of(const std::vector<const Measurement*>& measurements) {
  std::string items;
  std::size_t notes = 0;
  for (const Measurement* measurement : measurements)
    for (const std::string& note : measurement->notes) {
      items += fmt::format("<li>{}</li>\n",
                           typeset(fmt::format("{}, seed {}: {}", measurement->target, measurement->seed, note)));
      ++notes;
    }
  if (items.empty()) return "";
  return folded(fmt::format("Notes: {}", notes), "<ul class=\"notes\">\n" + items + "</ul>\n", true);
}

/// The measurements that hold edges of a measure.
std::vector<const Measurement*> measurements_of(const CompensationResults& results, const std::string& measure) {
  std::vector<const Measurement*> out;
  for (const Measurement& measurement : results.measurements)
    if (measurement.measure == measure ||
        std::any_of(measurement.edges.begin(), measurement.edges.end(),
                    [&measure](const GraphEdge& edge) { return edge.measure == measure; }))
      out.push_back(&measurement);
  return out;
}

std::string entry(const std::string& id, const std::string& title, const std::string& body) {
  return fmt::format("<dt id=\"how-{}\">{}</dt>\n<dd>{}</dd>\n", escape(id), typeset(title), body);
}

/// Every measure that has edges or, without any, notes on why.
std::vector<std::string> all_measures(const CompensationResults& results) {
  std::vector<std::string> all = measures_of(results);
  for (const Measurement& measurement : results.measurements)
    if (std::find(all.begin(), all.end(), measurement.measure) == all.end()) all.push_back(measurement.measure);
  std::stable_sort(all.begin(), all.end(), [](const std::string& a, const std::string& b) {
    return place_of_measure(a) < place_of_measure(b);
  });
  return all;
}

std::string introduction(const CompensationResults& results) {
  std::string out = fmt::format(
      "When a router is replaced by a random one, the rest of the network can learn to make up for it. This section "
      "asks "
      "which part does: the router's own layer, or other layers. It is measured on the trained runs of arm {}, without "
      "changing them.",
      with_cell("\"" + results.arm + "\"", results.cell));
  std::string html = paragraph(out);
  for (const std::string& note : results.notes) html += "<p class=\"meta\">" + typeset(note) + "</p>\n";
  return html;
}

}  // namespace

std::string paragraph(const std::string& text) {
  return text.empty() ? "" : "<p>" + typeset(text) + "</p>\n";
}

std::string subheading(const std::string& id, const std::string& text) {
  return fmt::format("<h3 id=\"{}\">{}</h3>\n", id, typeset(text));
}

std::string brief(double value) {
  if (!std::isfinite(value)) return "-";
  const double size = std::abs(value);
  return size >= 100 ? fmt::format("{:.0f}", value) : fmt::format("{:.2g}", value);
}

std::string anchored(const std::string& html, const std::string& how) {
  const std::size_t at = html.find("</figcaption>");
  if (at == std::string::npos) return html;
  return html.substr(0, at) + fmt::format(" <a href=\"#how-{}\">How it was measured</a>", escape(how)) +
         html.substr(at);
}

std::string compensation_how(const CompensationResults& results) {
  std::string entries;
  const std::vector<std::string> measures = all_measures(results);
  const bool needed = !results.recoveries.empty();  // captions point to it even where no edge was left
  for (const std::string& measure : measures) {
    const auto measurements = measurements_of(results, measure);
    const std::string settings = measure == "recovery" ? recovery_settings(results) : detail_settings(measurements);
    const MeasureWords words = words_for(measure);
    entries += entry(
        measure, words.title,
        paragraph(words.definition) + paragraph(settings + cost_of(measurements, measure)) + notes_of(measurements));
  }
  if (needed && std::find(measures.begin(), measures.end(), "recovery") == measures.end())
    entries += entry("recovery", words_for("recovery").title,
                     paragraph(words_for("recovery").definition) + paragraph(recovery_settings(results)));
  if (!results.attributions.empty())
    entries += entry(
        "attribution", "Attribution",
        paragraph(
            "From recovery at the headline: each run's mean over the layers of one kind of router, a layer that is "
            "undefined or not matched in dose on either side left out on both; then differences paired by seed, with "
            "95 % t intervals. The claim, cross(attention) > cross(moe), is supported where the interval lies above "
            "0, contradicted where it lies below, and else undecided; fewer than five seeds get no verdict. The "
            "seeds that would decide give the paired t test 80 % power at the observed mean and sd."));
  if (!results.queries.empty())
    entries += entry(
        "queries", "Questions",
        paragraph(
            "Asked of the graph of one arm, target and measure whose edges are means over seeds; intervals come from "
            "asking each seed's graph by itself. Random edges: the same question on graphs whose edge values were "
            "shuffled among the edges, which shows what the shape of the graph gives by itself; p is the share of "
            "these that reach the value, (1 + reaching) / (1 + drawn), not adjusted."));
  return subheading("how-measured", "How it was measured") + "<dl class=\"how\">\n" + entries + "</dl>\n";
}

std::string compensation(const Material& material) {
  const CompensationResults& results = material.compensation;
  if (results.empty()) return "";
  return introduction(results) + compensation_attribution(results) + compensation_graphs(results) +
         compensation_components(results) + compensation_curves(results) + compensation_tables(results) +
         compensation_queries(results) + compensation_how(results);
}

}  // namespace absorb::report
