#include "router/selections/loss_free.h"

#include <torch/types.h>

#include "core/error.h"
#include "router/selections/names.h"

namespace absorb {
namespace {

class LossFree final : public Selection {
 public:
  LossFree(const LossFreeSettings& settings, const RoutingTask& task, const Parameters& parameters)
      : settings_(settings) {
    require(!task.attention(),
            "selection \"loss_free\" balances experts: keys need not be used equally; use \"top_k\" in attention");
    require(settings.k <= task.choices, "selection.k = {} is above the number of experts, {}", settings.k,
            task.choices);
    require_sense(settings.weight, settings.gradient);
    bias_ = parameters.state("bias", at::zeros({task.choices}, at::TensorOptions().dtype(parameters.dtype())));
  }

  Routing select(Scores scores, const RoutingTask& task, const Pass&) const override {
    const Tensor bias = bias_.clone();  // a routing outlives the step that moves the bias
    KeepTop keep = top_k(dense(detached(scores)) + bias, settings_.k, task.visible, false);
    keep.bias = bias;
    return with_gate({std::move(scores), std::move(keep), weight_named(settings_.weight),
                      gradient_named(settings_.gradient), task.visible});
  }

  SelectionCost cost(const RoutingTask& task) const override {
    return cost_of_kept(settings_.k, gradient_named(settings_.gradient), task);
  }
  bool reaches_router() const override { return gradient_named(settings_.gradient) != Gradient::none; }
  bool has_state() const override { return true; }

  void after_step(std::span<const Routing> step) const override {
    Tensor served;  // [E]
    for (const Routing& routing : step) served = served.defined() ? served + counts(routing)[0] : counts(routing)[0];
    bias_.add_((served.mean() - served).sign().to(bias_.scalar_type()), settings_.rate);
  }

 private:
  LossFreeSettings settings_;
  Tensor bias_;  // [E]
};

}  // namespace

void fields(Fields& list, LossFreeSettings& settings) {
  list.field("k", settings.k, {1, 1 << 20}, "Experts that each token keeps.");
  choice_fields(list, settings.weight, settings.gradient);
  list.field("rate", settings.rate, {0, 1e3},
             "What a step adds to the bias of an expert that served less than its share.");
}

void add_loss_free(Selections& selections) {
  selections.add<LossFreeSettings>(
      "loss_free", "the k best experts under a bias that keeps their loads equal",
      [](const LossFreeSettings& settings, const RoutingTask& task, Parameters parameters) {
        return std::make_shared<LossFree>(settings, task, parameters);
      },
      {.attention = false, .budget = true});
}

}  // namespace absorb
