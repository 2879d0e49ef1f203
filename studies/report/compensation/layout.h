// Where the nodes and edges of a drawn compensation graph lie. Layers stand top to bottom, the embedding above them and
// the final norm below. Two forms: where routers alone are disturbed and whole blocks answer (recovery), each router
// faces the parts of its layer, and edges to other layers run in the margin to the blocks' edges; otherwise the parts
// of a layer lie in two rows, and edges run between any of them. All panels of a figure have layers at the same
// heights.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "studies/analysis/compensation/summaries.h"
#include "studies/report/figures/svg.h"

namespace absorb::report {

struct Box {
  double x = 0, y = 0, width = 0, height = 0;  // of the corner; view-box units
  Point left() const { return {x, y + height / 2}; }
  Point right() const { return {x + width, y + height / 2}; }
  Point top() const { return {x + width / 2, y}; }
  Point bottom() const { return {x + width / 2, y + height}; }
  bool meets(const Box& other) const {
    return x < other.x + other.width && other.x < x + width && y < other.y + other.height && other.y < y + height;
  }
};

struct PlacedNode {
  GraphNode node;
  std::string label;  // short; empty for a block, which is drawn as the edge of its layer
  Box box;
};

/// A cubic Bezier curve from one node to another.
struct Wire {
  Point from, towards, against, to;
  Point at(double t) const;
};

enum class EdgeKind { own, cross, outside };

struct PlacedEdge {
  MeanEdge edge;
  EdgeKind kind = EdgeKind::own;
  Wire wire;
};

struct Panel {
  std::string target;
  std::vector<std::pair<int64_t, Box>> layers;
  std::vector<PlacedNode> nodes;
  std::vector<PlacedEdge> edges;  // by falling size of their values
};

struct GraphLayout {
  bool fan = false;              // of the first form
  double width = 0, height = 0;  // of every panel
  std::vector<Panel> panels;     // one for each target that has edges of the measure
};

/// At most `most` edges a panel, the strongest.
GraphLayout lay_out(const CompensationResults& results, const std::string& measure, std::size_t most);

/// Gives every edge whose ends are placed its curve. `fan`: of the first form.
void route_edges(Panel& panel, const std::vector<MeanEdge>& edges, bool fan);

/// The place of a part (its first, of several) among those of a layer.
int part_order(const std::string& part);
/// From the embedding through the layers to the final norm.
bool is_before(const GraphNode& a, const GraphNode& b);
/// "QKVO", "attn router", "FF, norm"; "rest" where more than two would have to be named.
std::string short_label(const std::string& part);

}  // namespace absorb::report
