#include "studies/report/compensation/layout.h"

#include <algorithm>
#include <limits>
#include <set>
#include <sstream>

namespace absorb::report {
namespace {

constexpr double panel_width = 328, band_right = 324;
constexpr double box_height = 22, character = 6.7, padding = 14;
constexpr double heading = 30;                        // the panel's title
constexpr double outside_pitch = 40, layer_gap = 24;  // around embedding and final norm; between layers
constexpr double fan_margin = 92, fan_pitch = 34, fan_top = 36, fan_bottom = 12;
constexpr double row_margin = 26, row_pitch = 62, row_top = 36, row_bottom = 28, row_gap = 10;

bool is_outside(const GraphNode& node) {
  return node.layer < 0;
}
bool is_block(const GraphNode& node) {
  return node.part == "block";
}
bool is_router_node(const GraphNode& node) {
  return node.part == "attention_router" || node.part == "expert_router";
}

std::vector<std::string> pieces_of(const std::string& part) {
  std::vector<std::string> pieces;
  std::istringstream text(part);
  for (std::string piece; std::getline(text, piece, '+');) pieces.push_back(piece);
  return pieces;
}

double width_of(const std::string& label) {
  return std::max(24.0, character * static_cast<double>(label.size()) + padding);
}

/// What one panel is made of, before anything has a place.
struct Content {
  std::string target;
  std::map<std::string, GraphNode> nodes;
  std::vector<MeanEdge> edges;
};

std::vector<Content> contents_of(const CompensationResults& results, const std::string& measure, std::size_t most) {
  std::vector<Content> contents;
  for (const std::string& target : targets_of(results)) {
    Content content{target, {}, mean_edges(results, measure, target)};
    if (content.edges.empty()) continue;
    if (content.edges.size() > most) content.edges.resize(most);
    for (const GraphNode& node : nodes_of(results, measure, target)) content.nodes[node.name] = node;
    std::erase_if(content.edges, [&content](const MeanEdge& edge) {
      return !content.nodes.contains(edge.from) || !content.nodes.contains(edge.to);
    });
    contents.push_back(std::move(content));
  }
  return contents;
}

/// Whether routers alone are disturbed, and what answers from other layers is a whole block.
bool is_fan(const std::vector<Content>& contents) {
  for (const Content& content : contents)
    for (const MeanEdge& edge : content.edges) {
      const GraphNode &from = content.nodes.at(edge.from), &to = content.nodes.at(edge.to);
      if (!is_router_node(from) || (to.layer != from.layer && !is_block(to) && !is_outside(to))) return false;
    }
  return true;
}

/// Q, K, V and O, or the experts: what a router steers.
bool is_module(const GraphNode& node) {
  return node.part == "q+k+v+o" || node.part == "expert";
}

std::vector<int64_t> layers_of(const std::vector<Content>& contents) {
  std::set<int64_t> layers;
  for (const Content& content : contents)
    for (const auto& [name, node] : content.nodes)
      if (!is_outside(node)) layers.insert(node.layer);
  return {layers.begin(), layers.end()};
}

/// A router and the parts of its layer that answer it; or, in the other form, one row of a layer's parts.
struct Line {
  std::vector<GraphNode> nodes;  // of a fan the router first
};

std::vector<Line> fans_of(const Content& content, int64_t layer) {
  std::vector<Line> fans;
  std::set<std::string> placed;
  for (const auto& [name, node] : content.nodes) {  // attention_router before expert_router
    if (node.layer != layer || !is_router_node(node)) continue;
    fans.push_back({{node}});
    placed.insert(name);
  }
  for (Line& fan : fans) {
    for (const MeanEdge& edge : content.edges) {
      const GraphNode& to = content.nodes.at(edge.to);
      if (edge.from != fan.nodes.front().name || to.layer != layer || is_block(to) || !placed.insert(to.name).second)
        continue;
      fan.nodes.push_back(to);
    }
    std::stable_partition(fan.nodes.begin() + 1, fan.nodes.end(), is_module);
  }
  return fans;
}

std::vector<Line> rows_of(const Content& content, int64_t layer) {
  std::vector<Line> rows(2);
  for (const auto& [name, node] : content.nodes)
    if (node.layer == layer) rows[part_order(node.part) < part_order("expert_router") ? 0 : 1].nodes.push_back(node);
  for (Line& row : rows)
    std::stable_sort(row.nodes.begin(), row.nodes.end(),
                     [](const GraphNode& a, const GraphNode& b) { return part_order(a.part) < part_order(b.part); });
  return rows;
}

/// The lines that one router's fan takes.
int64_t slots_of(const Line& fan) {
  return std::max<int64_t>(1, std::ssize(fan.nodes) - 1);
}

PlacedNode placed(const GraphNode& node, double x, double middle) {
  const std::string label = short_label(node.part);
  return {node, label, {x, middle - box_height / 2, width_of(label), box_height}};
}

/// Routers flush with the left edge, their parts in a column on the right.
void place_fans(Panel& panel, const std::vector<Line>& fans, const Box& band) {
  int64_t slots = 0;
  for (const Line& fan : fans) slots += slots_of(fan);
  const double room = band.height - fan_top - fan_bottom;
  double y = band.y + fan_top + (room - fan_pitch * static_cast<double>(slots)) / 2;
  for (const Line& fan : fans) {
    const double tall = fan_pitch * static_cast<double>(slots_of(fan));
    panel.nodes.push_back(placed(fan.nodes.front(), band.x, y + tall / 2));
    for (std::size_t i = 1; i < fan.nodes.size(); ++i) {
      PlacedNode part = placed(fan.nodes[i], 0, y + fan_pitch * (static_cast<double>(i) - 0.5));
      part.box.x = band.x + band.width - part.box.width - 8;
      panel.nodes.push_back(std::move(part));
    }
    y += tall;
  }
}

void place_row(Panel& panel, const Line& row, const Box& band, double middle) {
  double wide = 0;
  for (const GraphNode& node : row.nodes) wide += width_of(short_label(node.part));
  const double gaps = std::max(1.0, static_cast<double>(row.nodes.size()) - 1);
  const double gap = std::clamp((band.width - 2 * row_gap - wide) / gaps, 2.0, 34.0);
  double x = band.x + (band.width - wide - gap * (static_cast<double>(row.nodes.size()) - 1)) / 2;
  for (const GraphNode& node : row.nodes) {
    panel.nodes.push_back(placed(node, x, middle));
    x += panel.nodes.back().box.width + gap;
  }
}

/// The embedding above the layers, everything else outside the blocks below them.
void place_outside(Panel& panel, const Content& content, double left, double above, double below) {
  double x_above = left, x_below = left;
  for (const auto& [name, node] : content.nodes) {
    if (!is_outside(node)) continue;
    double& x = node.part == "embedding" ? x_above : x_below;
    panel.nodes.push_back(placed(node, x, node.part == "embedding" ? above : below));
    x += panel.nodes.back().box.width + 10;
  }
}

/// A block is the left edge of its layer.
void place_blocks(Panel& panel, const Content& content, const std::map<int64_t, Box>& bands) {
  for (const auto& [name, node] : content.nodes)
    if (is_block(node)) {
      const Box& band = bands.at(node.layer);
      panel.nodes.push_back({node, "", {band.x - 2, band.y, 4, band.height}});
    }
}

/// Heights of the layers: the same in all panels.
std::map<int64_t, Box> bands_of(const std::vector<Content>& contents, bool fan) {
  std::map<int64_t, Box> bands;
  double y = heading + outside_pitch;
  const double left = fan ? fan_margin : row_margin;
  for (int64_t layer : layers_of(contents)) {
    int64_t slots = 1;
    for (const Content& content : contents) {
      int64_t own = 0;
      if (fan)
        for (const Line& line : fans_of(content, layer)) own += slots_of(line);
      slots = std::max(slots, own);
    }
    const double tall = fan ? fan_top + fan_pitch * static_cast<double>(slots) + fan_bottom
                            : row_top + row_pitch + box_height + row_bottom;
    bands[layer] = {left, y, band_right - left, tall};
    y += tall + layer_gap;
  }
  return bands;
}

}  // namespace

Point Wire::at(double t) const {
  const double a = (1 - t) * (1 - t) * (1 - t), b = 3 * t * (1 - t) * (1 - t), c = 3 * t * t * (1 - t), d = t * t * t;
  return {a * from.x + b * towards.x + c * against.x + d * to.x, a * from.y + b * towards.y + c * against.y + d * to.y};
}

int part_order(const std::string& part) {
  static const std::vector<std::string> order{"embedding",     "attention_router", "q",      "k",    "v",   "o",
                                              "expert_router", "feed_forward",     "expert", "norm", "head"};
  const std::string first = part.substr(0, part.find('+'));
  return static_cast<int>(std::find(order.begin(), order.end(), first) - order.begin());
}

bool is_before(const GraphNode& a, const GraphNode& b) {
  const auto layer = [](const GraphNode& node) {
    return node.layer >= 0 || node.part == "embedding" ? node.layer : std::numeric_limits<int64_t>::max();
  };
  return layer(a) != layer(b) ? layer(a) < layer(b) : part_order(a.part) < part_order(b.part);
}

std::string short_label(const std::string& part) {
  static const std::map<std::string, std::string> names{{"attention_router", "attn router"},
                                                        {"expert_router", "expert router"},
                                                        {"feed_forward", "FF"},
                                                        {"expert", "experts"},
                                                        {"q", "Q"},
                                                        {"k", "K"},
                                                        {"v", "V"},
                                                        {"o", "O"}};
  std::vector<std::string> labels;
  for (const std::string& piece : pieces_of(part)) {
    const auto found = names.find(piece);
    const std::string label = found == names.end() ? piece : found->second;
    const bool letter =
        label.size() == 1 && !labels.empty() && labels.back().find_first_not_of("QKVO") == std::string::npos;
    if (letter)
      labels.back() += label;
    else
      labels.push_back(label);
  }
  if (labels.size() > 2) return "rest";
  return labels.size() == 2 ? labels[0] + ", " + labels[1] : labels.empty() ? part : labels[0];
}

GraphLayout lay_out(const CompensationResults& results, const std::string& measure, std::size_t most) {
  const std::vector<Content> contents = contents_of(results, measure, most);
  const bool fan = is_fan(contents);
  const std::map<int64_t, Box> bands = bands_of(contents, fan);
  const double bottom =
      bands.empty() ? heading + outside_pitch : bands.rbegin()->second.y + bands.rbegin()->second.height;
  GraphLayout layout{fan, panel_width, bottom + layer_gap + box_height + 8, {}};
  for (const Content& content : contents) {
    Panel panel{content.target, {bands.begin(), bands.end()}, {}, {}};
    place_outside(panel, content, fan ? fan_margin : 2, heading + box_height / 2, bottom + layer_gap + box_height / 2);
    place_blocks(panel, content, bands);
    for (const auto& [layer, band] : bands) {
      if (fan) {
        place_fans(panel, fans_of(content, layer), band);
        continue;
      }
      const std::vector<Line> rows = rows_of(content, layer);
      for (std::size_t i = 0; i < rows.size(); ++i)
        place_row(panel, rows[i], band, band.y + row_top + box_height / 2 + row_pitch * static_cast<double>(i));
    }
    route_edges(panel, content.edges, fan);
    layout.panels.push_back(std::move(panel));
  }
  return layout;
}

}  // namespace absorb::report
