#include "router/selections/names.h"

#include "core/error.h"

namespace absorb {

Weight weight_named(const std::string& name) {
  static const std::map<std::string, Weight> weights = {{"one", Weight::one},
                                                        {"mean", Weight::mean},
                                                        {"sigmoid", Weight::sigmoid},
                                                        {"softmax", Weight::softmax},
                                                        {"softmax_kept", Weight::softmax_kept}};
  return weights.at(name);
}

Gradient gradient_named(const std::string& name) {
  return name == "none" ? Gradient::none : name == "weights" ? Gradient::weights : Gradient::straight_through;
}

void choice_fields(Fields& list, std::string& weight, std::string& gradient) {
  list.field(
      "weight", weight, {"one", "mean", "sigmoid", "softmax", "softmax_kept"},
      "What a kept choice weighs: one; mean (1 / kept); sigmoid of its score; softmax over all choices, as it is; "
      "softmax_kept (over the kept ones, sums to 1).");
  list.field("gradient", gradient, {"none", "weights", "straight_through"},
             "What reaches the router: nothing, the derivative of the kept weights, or that of the soft routing.");
}

SelectionCost cost_of_kept(int64_t k, Gradient gradient, const RoutingTask& task) {
  SelectionCost cost = cost_of_all(task);
  if (!task.attention() && gradient != Gradient::straight_through) cost.active = static_cast<double>(k);
  cost.own.score_passes = 1;
  return cost;
}

Routing with_gate(Routing routing) {
  if (routing.weight == Weight::one && routing.gradient == Gradient::straight_through) routing.gate = routing.scores;
  return routing;
}

void require_sense(const std::string& weight, const std::string& gradient) {
  require(gradient != "straight_through" || weight != "mean",
          "selection.weight = \"{}\" has no straight-through gradient: its weights don't depend on the scores", weight);
}

}  // namespace absorb
