#include "compensation/measures/drift.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "compensation/graph/nodes.h"
#include "compensation/measures/work.h"
#include "core/error.h"

namespace absorb {
namespace {

bool has_same(const Subject& subject, const Subject& other, const Group& group) {
  const auto known = other.components();
  return std::all_of(group.components.begin(), group.components.end(), [&](const Component& component) {
    return std::find(known.begin(), known.end(), component) != known.end() &&
           other.numbers(component) == subject.numbers(component);
  });
}

struct Distance {
  double displacement = unknown, angle = unknown;
};

Distance distance(Subject& from, Subject& to, const Group& group) {
  const Tensor a = from.values(group), b = to.values(group);
  return {relative_displacement(a, b), angle_between(a, b)};
}

Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

class Drift {
 public:
  Drift(Subject& subject, const MeasureContext& context)
      : subject_(subject), paired_(*context.paired), same_(context.same) {}

  Measurement run() {
    for (const Group& group : part_groups(subject_.components())) add(group);
    name("{} {} in the paired arm, or of another size: no drift.", absent_, "is not", "are not");
    name("{} {} 0 everywhere in one of the arms: no angle and no relative displacement.", zero_, "is", "are");
    name("The A/A arms agree in {}, which {} the drift no unit: left out.", unmoved_, "gives", "give");
    if (same_ == nullptr)
      result_.notes.push_back(
          "Drift is in units of the component's own norm: there is no A/A arm of the paired arm to give the unit.");
    return std::move(result_);
  }

 private:
  using Names = std::vector<std::string>;

  void add(const Group& group) {
    const GraphNode node = node_of(group);
    if (!has_same(subject_, paired_, group)) return absent_.push_back(node.name);
    result_.nodes.push_back(node);
    const Distance pair = distance(subject_, paired_, group);
    Distance unit;
    const bool has_unit = same_ != nullptr && has_same(subject_, *same_, group);
    if (has_unit) unit = distance(paired_, *same_, group);
    result_.details["nodes"].push_back({{"node", node.name},
                                        {"displacement", number(pair.displacement)},
                                        {"angle", number(pair.angle)},
                                        {"displacement_of_same_arms", number(unit.displacement)},
                                        {"angle_of_same_arms", number(unit.angle)}});
    if (!std::isfinite(pair.displacement) || !std::isfinite(pair.angle)) return zero_.push_back(node.name);
    add_edge(node, group, pair.angle, "angle");
    if (same_ == nullptr) return add_edge(node, group, pair.displacement, "drift");
    if (!(unit.displacement > 0)) return unmoved_.push_back(node.name);
    add_edge(node, group, pair.displacement / unit.displacement, "drift");
  }

  void add_edge(const GraphNode& node, const Group& group, double value, const char* measure) {
    int64_t numbers = 0;
    for (const Component& component : group.components) numbers += subject_.numbers(component);
    result_.edges.push_back({node.name, node.name, value, unknown, numbers, measure, {}, {}, 0});
  }

  void name(fmt::string_view sentence, const Names& names, const char* one, const char* many) {
    if (!names.empty())
      result_.notes.push_back(fmt::format(fmt::runtime(sentence), join(names), names.size() == 1 ? one : many));
  }

  Subject& subject_;
  Subject& paired_;
  Subject* same_;
  Measurement result_;
  Names absent_, zero_, unmoved_;
};

}  // namespace

double relative_displacement(const Tensor& from, const Tensor& to) {
  const Tensor a = from.to(at::kDouble).cpu(), b = to.to(at::kDouble).cpu();
  const double length = a.norm().item<double>();
  return length > 0 ? (b - a).norm().item<double>() / length : unknown;
}

double angle_between(const Tensor& from, const Tensor& to) {
  const Tensor a = from.to(at::kDouble).cpu(), b = to.to(at::kDouble).cpu();
  if (!(a.norm().item<double>() > 0) || !(b.norm().item<double>() > 0)) return unknown;
  const Tensor u = a / a.norm(), v = b / b.norm();
  return 2 * std::atan2((u - v).norm().item<double>(), (u + v).norm().item<double>());
}

Measurement measure_drift(Subject& subject, const CompensationSettings&, const MeasureContext& context) {
  const auto start = std::chrono::steady_clock::now();
  Measurement result;
  if (context.paired != nullptr) {
    result = Drift(subject, context).run();
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  } else {
    result.notes.emplace_back("Drift needs the paired arm, another arm of the same seed, and there is none.");
  }
  const auto identity_of = [](const Subject* other) { return other == nullptr ? Json() : Json(other->identity()); };
  result.measure = "drift";
  result.identity = measurement_identity(
      "drift", subject, {{"paired", identity_of(context.paired)}, {"same", identity_of(context.same)}});
  return result;
}

void add_drift(Measures& measures) {
  measures.add(
      {.edges = {{.name = "drift",
                  .unit = "ratio",
                  .self_loop = true,
                  .title = "Drift",
                  .definition =
                      "Relative displacement of a component between this arm and the one it is paired with, in units "
                      "of the displacement between two arms that differ by a random draw alone (A/A): 1 is noise."},
                 {.name = "angle",
                  .unit = "radians",
                  .self_loop = true,
                  .title = "Angle of drift",
                  .definition =
                      "Angle in radians between a component's weights, taken as one vector, in this arm and in the one "
                      "it is paired with."}},
       .make = measure_drift,
       .order = 1,
       .pairs = true});
}

}  // namespace absorb
