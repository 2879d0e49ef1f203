#include "compensation/measures/first_order.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compensation/graph/nodes.h"
#include "compensation/measures/work.h"
#include "compensation/recovery/recovery.h"
#include "core/error.h"

namespace absorb {
namespace {

/// The disjoint groups around a router, without the empty ones.
std::vector<Group> disjoint_groups(const Subject& subject, const Component& router) {
  std::vector<Group> groups;
  for (Group& group : recovery_groups(subject.components(), router)) {
    const std::string& name = group.name;
    const bool disjoint = name == "router" || name == "module" || name == "rest" || name == "embedding" ||
                          name == "final" || name.starts_with("block.");
    if (disjoint && !group.components.empty()) groups.push_back(std::move(group));
  }
  return groups;
}

std::vector<Component> chosen_routers(const Subject& subject, const std::vector<int64_t>& layers) {
  std::vector<Component> all = router_components(subject.components()), chosen;
  for (const Component& router : all)
    if (layers.empty() || std::find(layers.begin(), layers.end(), router.layer) != layers.end())
      chosen.push_back(router);
  for (int64_t layer : layers)
    require(std::any_of(chosen.begin(), chosen.end(), [&](const Component& c) { return c.layer == layer; }),
            "layer {} has no router in this run; its routers are {}", layer, [&] {
              std::vector<std::string> names;
              for (const Component& router : all) names.push_back(to_string(router));
              return names.empty() ? std::string("none") : join(names);
            }());
  return chosen;
}

/// l1 norms of one group's gradient under one draw: of all sequences, of each half, and half against half.
struct Norms {
  double all = 0, first = 0, second = 0, crossed = 0;
};

Norms norms_of(const Tensor& first, const Tensor& second, double weight_of_first) {
  const Tensor a = first.to(at::kDouble), b = second.to(at::kDouble);
  const double crossed = (at::dot(a, b.sign()) + at::dot(b, a.sign())).item<double>() / 2;
  const Tensor all = weight_of_first * a + (1 - weight_of_first) * b;
  return {all.abs().sum().item<double>(), a.abs().sum().item<double>(), b.abs().sum().item<double>(), crossed};
}

class FirstOrder {
 public:
  FirstOrder(Subject& subject, const CompensationSettings& settings, const MeasureContext& context)
      : subject_(subject),
        settings_(settings),
        routers_(chosen_routers(subject, context.layers)),
        layers_(context.layers),
        work_("first_order", subject, context) {
    sequences_ = shuffled_sequences(subject.held_out());
    if (settings.sequences < subject.held_out()) sequences_.resize(static_cast<std::size_t>(settings.sequences));
    require(sequences_.size() >= 2, "first_order compares two halves of the sequences: it needs at least 2, got {}",
            sequences_.size());
    check(!settings.steps.empty(), "[first_order] no steps");
  }

  Measurement run() {
    Measurement result;
    result.measure = "first_order";
    result.identity = measurement_identity("first_order", subject_,
                                           {{"sequences", settings_.sequences},
                                            {"draws", settings_.draws},
                                            {"steps", settings_.steps.back()},
                                            {"layers", layers_}});
    result.details = {{"dose", 1},
                      {"steps", settings_.steps.back()},
                      {"rate", subject_.rate()},
                      {"draws", settings_.draws},
                      {"sequences", sequences_.size()},
                      {"edges", Json::array()}};
    work_.expect(static_cast<int64_t>(routers_.size()) * settings_.draws);
    for (const Component& router : routers_) add_router(result, router);
    if (routers_.empty()) result.notes.push_back("This run has no router to disturb.");
    result.seconds = work_.seconds();
    return result;
  }

 private:
  void add_router(Measurement& result, const Component& router) {
    const std::vector<Group> groups = disjoint_groups(subject_, router);
    std::vector<std::vector<Norms>> norms;  // [draws][groups]
    for (int64_t draw = 0; draw < settings_.draws; ++draw) norms.push_back(norms_under(router, groups, draw));
    const std::vector<GraphNode> nodes = nodes_of(groups);
    const GraphNode from = node_of(Group{"router", {router}});
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const bool known = std::any_of(result.nodes.begin(), result.nodes.end(),
                                     [&](const GraphNode& node) { return node.name == nodes[g].name; });
      if (!known) result.nodes.push_back(nodes[g]);
      std::vector<Norms> of_group;
      for (const auto& draw : norms) of_group.push_back(draw[g]);
      add_edge(result, from.name, nodes[g].name, of_group);
    }
  }

  void add_edge(Measurement& result, const std::string& from, const std::string& to,
                const std::vector<Norms>& norms /* [draws] */) const {
    const double scale = subject_.rate() * static_cast<double>(settings_.steps.back());
    double value = 0, crossed = 0;
    DrawRows halves;
    for (const Norms& draw : norms) {
      value += scale * draw.all / static_cast<double>(norms.size());
      crossed += scale * draw.crossed / static_cast<double>(norms.size());
      halves.push_back({scale * draw.first, scale * draw.second});
    }
    const Measured spread = mean_of(halves);
    const auto samples = static_cast<int64_t>(norms.size() * sequences_.size());
    result.edges.push_back({from, to, value, spread.standard_error, samples, "first_order", {}, {}, 0});
    result.details["edges"].push_back({{"from", from}, {"to", to}, {"halves", spread.value}, {"crossed", crossed}});
  }

  /// [groups]
  std::vector<Norms> norms_under(const Component& router, const std::vector<Group>& groups, int64_t draw) {
    const Json piece{
        {"router", to_string(router)}, {"groups", names_of(groups)}, {"draw", draw}, {"sequences", sequences_}};
    const std::string next = fmt::format("gradient at draw {} of {}", draw, to_string(router));
    const Json& cell = work_.get(piece, next, [&] { return measured(router, groups, draw); });
    std::vector<Norms> norms;
    for (const Json& row : cell) norms.push_back({row.at(0), row.at(1), row.at(2), row.at(3)});
    return norms;
  }

  Json measured(const Component& router, const std::vector<Group>& groups, int64_t draw) {
    const Disturbance swap{{router}, static_cast<uint64_t>(draw), 1};
    const std::size_t half = sequences_.size() / 2;
    const Examples all = sequences_;
    const std::vector<Tensor> first = subject_.gradients(groups, swap, all.first(half));
    const std::vector<Tensor> second = subject_.gradients(groups, swap, all.subspan(half));
    const double weight = static_cast<double>(half) / static_cast<double>(sequences_.size());
    Json cell = Json::array();
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const Norms norms = norms_of(first[g], second[g], weight);
      require(std::isfinite(norms.first + norms.second),
              "the gradient of {} is not finite with the routing of {} swapped", groups[g].name, to_string(router));
      cell.push_back({norms.all, norms.first, norms.second, norms.crossed});
    }
    return cell;
  }

  Subject& subject_;
  const CompensationSettings& settings_;
  std::vector<Component> routers_;
  std::vector<int64_t> layers_, sequences_;
  Work work_;
};

}  // namespace

Measurement measure_first_order(Subject& subject, const CompensationSettings& settings, const MeasureContext& context) {
  return FirstOrder(subject, settings, context).run();
}

void add_first_order(Measures& measures) {
  measures.add(
      {.edges =
           {{.name = "first_order",
             .unit = "nats per token",
             .role = MeasureRole::predicts,
             .sums = true,
             .title = "First-order prediction",
             .reading = "Each arrow begins at a disturbed router and ends at the part that one small step would use to "
                        "make up for it: a cheap prediction that recovery has to be held against.",
             .definition =
                 "rate x ||grad_S L_swap||_1, what a first step of the optimiser would win at the disturbed model."}},
       .make = measure_first_order,
       .order = 3});
}

}  // namespace absorb
