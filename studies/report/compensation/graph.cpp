#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "studies/analysis/wording.h"
#include "studies/report/compensation/compensation.h"
#include "studies/report/compensation/layout.h"
#include "studies/report/figures/chart.h"
#include "studies/report/page/html.h"

namespace absorb::report {
namespace {

constexpr std::size_t most_edges = 120;                          // a panel; the others are in the exported graph
constexpr std::size_t most_shown = 18, most_shown_of_fans = 30;  // a panel, before anybody moves the slider
constexpr std::size_t most_labels = 9;                           // a panel
constexpr double thinnest = 0.7, thickest = 4.5, thickest_of_fans = 7;
constexpr double label_character = 6.1, label_height = 12;

/// What all panels of one figure share.
struct Look {
  std::string measure, id;
  MeasureWords words;
  bool directed = true;
  double largest = 0;     // size of a value
  double thickest = 0;    // width of its line
  int64_t threshold = 0;  // where the slider begins; percent of `largest`
};

/// In percent of the largest, rounded as the page writes it, so that script and page agree on what is hidden.
double share_of(const Look& look, const MeanEdge& edge) {
  return look.largest > 0 ? std::round(1e4 * std::abs(edge.value.mean) / look.largest) / 100 : 0;
}

double width_of(const Look& look, double share) {
  return look.largest > 0 ? thinnest + (look.thickest - thinnest) * share / 100 : thinnest;
}

Look look_of(const GraphLayout& layout, const std::string& measure) {
  Look look{measure,
            "graph-" + measure,
            words_for(measure),
            measure_info(measure).directed,
            0,
            layout.fan ? thickest_of_fans : thickest,
            0};
  for (const Panel& panel : layout.panels)
    for (const PlacedEdge& placed : panel.edges)
      look.largest = std::max(look.largest, std::abs(placed.edge.value.mean));
  const std::size_t shown = layout.fan ? most_shown_of_fans : most_shown;
  for (const Panel& panel : layout.panels)
    if (panel.edges.size() > shown) {
      const double next = share_of(look, panel.edges[shown].edge);
      look.threshold = std::max(look.threshold, static_cast<int64_t>(std::floor(next)) + 1);
    }
  look.threshold = std::min<int64_t>(look.threshold, 100);
  return look;
}

/// Whether seeds leave open that there is an effect at all; one seed alone says nothing about that.
bool is_open(const MeanEdge& edge) {
  const auto interval = t_interval(edge.value);
  return interval && interval->contains(0);
}

std::string kind_class(EdgeKind kind) {
  return kind == EdgeKind::own ? "own" : kind == EdgeKind::cross ? "cross" : "outside";
}

std::string tip_of(const Look& look, const MeanEdge& edge) {
  const auto interval = t_interval(edge.value);
  return fmt::format(
      "{} {} {}: {} ({}n = {})", edge.from, look.directed ? "to" : "and", edge.to,
      brief(edge.value.mean) + unit_of(look.measure),
      interval ? fmt::format("95 % interval {} to {}, ", brief(interval->low), brief(interval->high)) : "",
      edge.value.n);
}

void draw_edge(Svg& svg, const Look& look, const PlacedEdge& placed) {
  const double share = share_of(look, placed.edge), width = width_of(look, share);
  svg.begin_group(fmt::format("class=\"edge {}{}{}{}\" data-share=\"{:.2f}\" style=\"stroke-width:{:.2f}\"",
                              kind_class(placed.kind), is_open(placed.edge) ? " pale" : "",
                              placed.edge.value.mean < 0 ? " negative" : "",
                              share < static_cast<double>(look.threshold) ? " weak" : "", share, width),
                  tip_of(look, placed.edge));
  const Wire& wire = placed.wire;
  Point way{wire.to.x - wire.against.x, wire.to.y - wire.against.y};
  const double length = std::hypot(way.x, way.y);
  if (!look.directed || length < 1e-9) {
    svg.curve(wire.from, wire.towards, wire.against, wire.to, "wire");
  } else {
    way = {way.x / length, way.y / length};
    const double tall = 5 + 1.1 * width, half = 2.5 + 0.75 * width;
    const Point base{wire.to.x - tall * way.x, wire.to.y - tall * way.y};
    const Point against{wire.against.x - tall * way.x, wire.against.y - tall * way.y};
    svg.curve(wire.from, wire.towards, against, base, "wire");
    svg.polygon(
        {wire.to, {base.x - half * way.y, base.y + half * way.x}, {base.x + half * way.y, base.y - half * way.x}},
        "tip");
  }
  svg.end_group();
}

void draw_node(Svg& svg, const PlacedNode& placed) {
  const Box& box = placed.box;
  if (placed.label.empty()) {
    svg.rect({box.x, box.y}, box.width, box.height, "block");
    return;
  }
  const bool router = placed.node.part.ends_with("router") && placed.node.part.find('+') == std::string::npos;
  svg.begin_group("class=\"node\"", placed.node.name);
  svg.rect({box.x, box.y}, box.width, box.height, router ? "box router" : "box");
  svg.text({box.x + box.width / 2, box.y + 15}, placed.label, "part", Svg::Anchor::middle);
  svg.end_group();
}

/// Values beside the strongest edges, where there is room for them.
void draw_values(Svg& svg, const Look& look, const Panel& panel, double panel_width) {
  std::vector<Box> taken;
  for (const PlacedNode& node : panel.nodes)
    if (!node.label.empty()) taken.push_back(node.box);
  for (const auto& [layer, band] : panel.layers) taken.push_back({band.x, band.y, 58, 18});  // its name
  std::size_t drawn = 0;
  for (const PlacedEdge& placed : panel.edges) {
    const double share = share_of(look, placed.edge);
    if (drawn == most_labels || share < static_cast<double>(look.threshold)) break;
    const std::string text = brief(placed.edge.value.mean);
    const double wide = label_character * static_cast<double>(text.size());
    for (double t : {0.5, 0.58, 0.66, 0.42, 0.74, 0.34, 0.26}) {
      Point middle = placed.wire.at(t);
      if (placed.edge.from == placed.edge.to) middle.y -= 8;  // over its loop
      const Box box{middle.x - wide / 2 - 3, middle.y - label_height / 2, wide + 6, label_height};
      const auto hits = [&box](const Box& other) { return box.meets(other); };
      if (box.x < 0 || box.x + wide > panel_width || std::any_of(taken.begin(), taken.end(), hits)) continue;
      svg.begin_group(fmt::format("class=\"amount\" data-share=\"{:.2f}\"", share));
      svg.text({middle.x, middle.y + 4}, text, "", Svg::Anchor::middle);
      svg.end_group();
      taken.push_back(box);
      ++drawn;
      break;
    }
  }
}

int64_t seeds_of(const Panel& panel) {
  int64_t seeds = 0;
  for (const PlacedEdge& placed : panel.edges) seeds = std::max(seeds, placed.edge.value.n);
  return seeds;
}

std::string draw_panel(const Look& look, const Panel& panel, const GraphLayout& layout) {
  Svg svg(
      fmt::format("{}-{}", look.id, panel.target), layout.width, layout.height,
      fmt::format("{} in target {}", look.words.title, panel.target),
      "Graph with layers from top to bottom: lines between the parts of the model, the thicker the larger the value. "
      "The numbers are in the exported graph.");
  svg.text({0, 16}, fmt::format("{} (n = {})", panel.target, seeds_of(panel)), "strong");
  for (const auto& [layer, band] : panel.layers) {
    svg.rect({band.x, band.y}, band.width, band.height, "layer");
    svg.text({band.x + 8, band.y + 14}, fmt::format("layer {}", layer), "soft");
  }
  for (auto placed = panel.edges.rbegin(); placed != panel.edges.rend(); ++placed) draw_edge(svg, look, *placed);
  for (const PlacedNode& node : panel.nodes) draw_node(svg, node);
  draw_values(svg, look, panel, layout.width);
  return svg.html();
}

/// One line of the key with its meaning beside it.
double draw_sample(Svg& svg, double x, double y, const std::string& style_class, double width,
                   const std::string& meaning) {
  svg.begin_group(fmt::format("class=\"edge {}\" style=\"stroke-width:{:.2f}\"", style_class, width));
  svg.curve({x, y}, {x + 12, y}, {x + 24, y}, {x + 38, y}, "wire");
  svg.end_group();
  svg.text({x + 45, y + 4}, meaning, "soft");
  return x + 45 + 6 * static_cast<double>(meaning.size()) + 20;
}

std::string key_of(const Look& look, const GraphLayout& layout) {
  bool outside = false, negative = false, pale = false;
  for (const Panel& panel : layout.panels)
    for (const PlacedEdge& placed : panel.edges) {
      outside = outside || placed.kind == EdgeKind::outside;
      negative = negative || placed.edge.value.mean < 0;
      pale = pale || is_open(placed.edge);
    }
  Svg svg(look.id + "-key", 680, 50, "Key of the graph",
          "Solid: within a layer; dashed: between layers; dotted: outside.");
  double x = draw_sample(svg, 0, 12, "own", 2.5, "within one layer");
  x = draw_sample(svg, x, 12, "cross", 2.5, "between layers");
  if (outside) x = draw_sample(svg, x, 12, "outside", 2.5, "embedding or final norm");
  if (negative) draw_sample(svg, x, 12, "own negative", 2.5, "below 0");
  x = draw_sample(svg, 0, 36, "own", width_of(look, 100), brief(look.largest));
  x = draw_sample(svg, x, 36, "own", width_of(look, 25), brief(look.largest / 4) + unit_of(look.measure));
  if (pale) draw_sample(svg, x, 36, "own pale", 2.5, "pale: 95 % interval over seeds holds 0");
  return svg.html();
}

std::string slider(const Look& look) {
  return fmt::format(
      "<p class=\"slider\" hidden><label>Hide edges below <input type=\"range\" min=\"0\" max=\"100\" step=\"1\" "
      "value=\"{}\" autocomplete=\"off\" data-graph=\"{}\"> <output>{}</output>\u00A0% of the strongest "
      "({})</label></p>\n",
      look.threshold, look.id, look.threshold, typeset(brief(look.largest) + unit_of(look.measure)));
}

std::string caption(const Look& look, const GraphLayout& layout) {
  std::size_t drawn = 0;
  for (const Panel& panel : layout.panels) drawn = std::max(drawn, panel.edges.size());
  const std::string unit = unit_of(look.measure), in_unit = unit.empty() ? "" : ", in" + unit;
  std::string out =
      fmt::format("{}: mean over n seeds{}, one panel a target on one scale. ", look.words.title, in_unit);
  if (look.threshold > 0)
    out += fmt::format("Drawn without the slider: edges of at least {} % of the strongest. ", look.threshold);
  if (drawn == most_edges) out += fmt::format("A panel holds its {} strongest edges at most. ", most_edges);
  return out + "A pointer over a line shows its interval; the command absorb graph lists and exports them all.";
}

std::string graph_of_measure(const CompensationResults& results, const std::string& measure, bool open) {
  const GraphLayout layout = lay_out(results, measure, most_edges);
  if (layout.panels.empty()) return "";
  const Look look = look_of(layout, measure);
  std::string panels = fmt::format("<div class=\"graph-panels\" id=\"{}\">\n", look.id);
  for (const Panel& panel : layout.panels) panels += draw_panel(look, panel, layout);
  const std::string content =
      paragraph(look.words.reading) + slider(look) +
      anchored(figure(key_of(look, layout) + panels + "</div>\n", caption(look, layout)), measure);
  return fmt::format("<details class=\"measure\"{}>\n<summary>{}</summary>\n{}</details>\n", open ? " open" : "",
                     typeset(look.words.title), content);
}

}  // namespace

std::string compensation_graphs(const CompensationResults& results) {
  std::string out;
  for (const std::string& measure : measures_of(results))
    if (!measure_info(measure).self_loop) out += graph_of_measure(results, measure, out.empty());
  if (out.empty()) return "";
  return subheading("compensation-graph", "Who makes up for whom") +
         paragraph(
             "Every box is a part of the model, layers from the input at the top to the output at the bottom. A line "
             "says that one part makes up for a disturbance of another, or is tied to it; the thicker the line, the "
             "stronger. Solid lines stay within a layer, dashed ones cross to another: the paper's claim is about "
             "the dashed ones.") +
         out;
}

}  // namespace absorb::report
