// The curves of a drawn compensation graph's edges.
#include <algorithm>
#include <cmath>

#include "studies/report/compensation/layout.h"

namespace absorb::report {
namespace {

constexpr double deepest = 84, first_depth = 18, next_depth = 15;  // of the margin's curves, from the layers' edge
constexpr double aside = 4;                                        // between the two directions of a pair

const PlacedNode* find_node(const Panel& panel, const std::string& name) {
  for (const PlacedNode& node : panel.nodes)
    if (node.node.name == name) return &node;
  return nullptr;
}

EdgeKind kind_of(const GraphNode& from, const GraphNode& to) {
  if (from.layer < 0 || to.layer < 0) return EdgeKind::outside;
  return from.layer == to.layer ? EdgeKind::own : EdgeKind::cross;
}

/// Out of the top and back into it.
Wire loop(const Box& box) {
  const double middle = box.x + box.width / 2;
  return {{middle - 15, box.y}, {middle - 26, box.y - 31}, {middle + 26, box.y - 31}, {middle + 15, box.y}};
}

Wire across(Point from, Point to) {
  const double half = (to.x - from.x) / 2;
  return {from, {from.x + half, from.y}, {to.x - half, to.y}, to};
}

/// The place of a layer counted from the top: the embedding's is -1.
double rank_of(const Panel& panel, const GraphNode& node) {
  if (node.layer < 0) return node.part == "embedding" ? -1 : static_cast<double>(panel.layers.size());
  const auto found = std::find_if(panel.layers.begin(), panel.layers.end(),
                                  [&node](const auto& layer) { return layer.first == node.layer; });
  return static_cast<double>(found - panel.layers.begin());
}

/// Heights along the left edge of `node` that no router covers, for `count` arrows, top to bottom.
std::vector<double> free_heights(const Panel& panel, const PlacedNode& node, std::size_t count) {
  const double inset = node.label.empty() ? 8 : 3;
  std::vector<double> covered;  // pairs of top and bottom
  for (const PlacedNode& other : panel.nodes)
    if (node.label.empty() && !other.label.empty() && other.node.layer == node.node.layer &&
        other.box.x < node.box.x + node.box.width) {
      covered.push_back(other.box.y - 6);
      covered.push_back(other.box.y + other.box.height + 6);
    }
  std::vector<double> heights;
  constexpr int steps = 400;
  for (int i = 0; i <= steps; ++i) {
    const double y = node.box.y + inset + (node.box.height - 2 * inset) * i / steps;
    bool free = true;
    for (std::size_t c = 0; c < covered.size(); c += 2) free = free && (y < covered[c] || y > covered[c + 1]);
    if (free) heights.push_back(y);
  }
  std::vector<double> chosen;
  for (std::size_t i = 0; i < count && !heights.empty(); ++i) {
    const double place = (static_cast<double>(i) + 0.5) / static_cast<double>(count);
    chosen.push_back(heights[static_cast<std::size_t>(place * static_cast<double>(heights.size() - 1))]);
  }
  return chosen;
}

/// Edges in the margin. Those that end at one layer are sorted so that curves nest: what comes from farther away goes
/// around what comes from nearer.
void route_margin(Panel& panel, std::vector<std::size_t> edges, const PlacedNode& to) {
  const auto source = [&panel](std::size_t edge) { return find_node(panel, panel.edges[edge].edge.from); };
  std::sort(edges.begin(), edges.end(), [&](std::size_t a, std::size_t b) {
    const double ya = source(a)->box.y, yb = source(b)->box.y;
    const bool above_a = ya < to.box.y, above_b = yb < to.box.y;
    return above_a != above_b ? above_a : ya > yb;
  });
  const std::vector<double> heights = free_heights(panel, to, edges.size());
  const double most = static_cast<double>(panel.layers.size()) + 1;
  for (std::size_t i = 0; i < heights.size(); ++i) {
    const PlacedNode& from = *source(edges[i]);
    const double apart = std::abs(rank_of(panel, from.node) - rank_of(panel, to.node));
    const double step = std::min(next_depth, (deepest - first_depth) / most);
    const double depth = (first_depth + step * apart) / 0.75;  // of a cubic's control points
    const Point begin = from.box.left(), end{to.box.x, heights[i]};
    panel.edges[edges[i]].wire = {begin, {begin.x - depth, begin.y}, {end.x - depth, end.y}, end};
  }
}

void route_fan(Panel& panel) {
  std::map<std::string, std::vector<std::size_t>> into;
  for (std::size_t i = 0; i < panel.edges.size(); ++i) {
    PlacedEdge& placed = panel.edges[i];
    const PlacedNode &from = *find_node(panel, placed.edge.from), &to = *find_node(panel, placed.edge.to);
    if (placed.kind != EdgeKind::own)
      into[to.node.name].push_back(i);
    else
      placed.wire = &from == &to ? loop(from.box) : across(from.box.right(), to.box.left());
  }
  for (auto& [name, edges] : into) route_margin(panel, std::move(edges), *find_node(panel, name));
}

/// Between two parts of one row: over it, or under the lower one.
Wire along_row(const Panel& panel, const PlacedNode& from, const PlacedNode& to) {
  const auto band = std::find_if(panel.layers.begin(), panel.layers.end(),
                                 [&from](const auto& layer) { return layer.first == from.node.layer; });
  const bool over = band == panel.layers.end() || from.box.y < band->second.y + band->second.height / 2 - 2;
  const double back = to.box.x < from.box.x ? aside : -aside;
  const Point begin{from.box.top().x - back, over ? from.box.y : from.box.bottom().y},
      end{to.box.top().x + back, over ? to.box.y : to.box.bottom().y};
  const double rise = (12 + 0.1 * std::abs(end.x - begin.x)) * (over ? -1 : 1);
  return {begin, {begin.x, begin.y + rise}, {end.x, end.y + rise}, end};
}

/// Between rows or layers, bent aside where layers lie between.
Wire between_rows(const Panel& panel, const PlacedNode& from, const PlacedNode& to) {
  const bool down = to.box.y > from.box.y;
  const double shift = down ? aside : -aside;
  Point begin = down ? from.box.bottom() : from.box.top(), end = down ? to.box.top() : to.box.bottom();
  begin.x += shift;
  end.x += shift;
  const double apart = std::abs(rank_of(panel, from.node) - rank_of(panel, to.node));
  const double side = (begin.x + end.x) / 2 + shift > 164 ? 1 : -1;
  const double bend = side * 22 * std::max(0.0, apart - 1), reach = 0.55 * (end.y - begin.y);
  const auto within = [](double x) { return std::clamp(x, 2.0, 326.0); };
  return {begin, {within(begin.x + bend), begin.y + reach}, {within(end.x + bend), end.y - reach}, end};
}

void route_rows(Panel& panel) {
  for (PlacedEdge& placed : panel.edges) {
    const PlacedNode &from = *find_node(panel, placed.edge.from), &to = *find_node(panel, placed.edge.to);
    if (&from == &to)
      placed.wire = loop(from.box);
    else if (std::abs(from.box.y - to.box.y) < 1)
      placed.wire = along_row(panel, from, to);
    else
      placed.wire = between_rows(panel, from, to);
  }
}

}  // namespace

void route_edges(Panel& panel, const std::vector<MeanEdge>& edges, bool fan) {
  for (const MeanEdge& edge : edges) {
    const PlacedNode *from = find_node(panel, edge.from), *to = find_node(panel, edge.to);
    if (from != nullptr && to != nullptr) panel.edges.push_back({edge, kind_of(from->node, to->node), {}});
  }
  fan ? route_fan(panel) : route_rows(panel);
}

}  // namespace absorb::report
