#include "router/selections/top_k.h"

#include "core/error.h"
#include "router/selections/names.h"

namespace absorb {
namespace {

class TopK final : public Selection {
 public:
  TopK(const TopKSettings& settings, const RoutingTask& task) : settings_(settings) {
    const int64_t most = task.attention() ? task.context : task.choices;
    require(most == 0 || settings.k <= most, "selection.k = {} is above the number of {}, {}", settings.k,
            task.attention() ? "keys" : "experts", most);
    require_sense(settings.weight, settings.gradient);
  }

  Routing select(Scores scores, const RoutingTask& task, const Pass&) const override {
    Routing routing{std::move(scores), KeepAll{}, weight_named(settings_.weight), gradient_named(settings_.gradient),
                    task.visible};
    if (task.attention() && settings_.order == "causal_late") routing.visible = Visible::causal_late;
    const int64_t choices = routing.scores.choices_count;
    require(settings_.k <= choices, "selection.k = {} is above the number of choices, {}", settings_.k, choices);
    routing.keep = top_k(detached(routing.scores), settings_.k, routing.visible, task.attention() && settings_.self);
    return with_gate(std::move(routing));
  }

  SelectionCost cost(const RoutingTask& task) const override {
    return cost_of_kept(settings_.k, gradient_named(settings_.gradient), task);
  }
  bool reaches_router() const override { return gradient_named(settings_.gradient) != Gradient::none; }
  bool causal(const RoutingTask& task) const override { return !task.attention() || settings_.order != "causal_late"; }

 private:
  TopKSettings settings_;
};

}  // namespace

void fields(Fields& list, TopKSettings& settings) {
  list.field("k", settings.k, {1, 1 << 20}, "Choices that each item keeps.");
  choice_fields(list, settings.weight, settings.gradient);
  list.field("self", settings.self, "Attention: the own position is always kept, within the budget.");
  list.field("order", settings.order, {"causal", "causal_late"},
             "Attention: choose among the visible keys, or (the paper) among all and then hide the future.");
}

void add_top_k(Selections& selections) {
  selections.add<TopKSettings>("top_k", "the k best choices of each item",
                               [](const TopKSettings& settings, const RoutingTask& task, Parameters) {
                                 return std::make_shared<TopK>(settings, task);
                               },
                               {.budget = true});
}

}  // namespace absorb
