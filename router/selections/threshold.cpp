#include "router/selections/threshold.h"

#include <torch/types.h>

#include "router/selections/names.h"

namespace absorb {
namespace {

class Threshold final : public Selection {
 public:
  explicit Threshold(const ThresholdSettings& settings) : settings_(settings) {
    require_sense(settings.weight, settings.gradient);
  }

  Routing select(Scores scores, const RoutingTask& task, const Pass&) const override {
    const Tensor values = dense(detached(scores));
    Tensor mask = values > settings_.value;
    if (task.attention() && settings_.self)
      mask = mask.logical_or(at::eye(mask.size(-2), mask.size(-1), mask.options()));
    return with_gate({std::move(scores), KeepMask{mask}, weight_named(settings_.weight),
                      gradient_named(settings_.gradient), task.visible});
  }

  // How many are kept is the router's to decide, so that the layer computes all of them.
  SelectionCost cost(const RoutingTask& task) const override {
    SelectionCost cost = cost_of_all(task);
    cost.own.score_passes = 1;
    return cost;
  }
  bool reaches_router() const override { return gradient_named(settings_.gradient) != Gradient::none; }

 private:
  ThresholdSettings settings_;
};

}  // namespace

void fields(Fields& list, ThresholdSettings& settings) {
  list.field("value", settings.value, {-1e6, 1e6}, "Choices with a score above it are kept.");
  choice_fields(list, settings.weight, settings.gradient);
  list.field("self", settings.self,
             "Attention: the own position is always kept, so that no query is left without a key.");
}

void add_threshold(Selections& selections) {
  selections.add<ThresholdSettings>("threshold", "the choices whose score is above a fixed value",
                                    [](const ThresholdSettings& settings, const RoutingTask&, Parameters) {
                                      return std::make_shared<Threshold>(settings);
                                    });
}

}  // namespace absorb
