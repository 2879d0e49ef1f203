#include "router/selections/keep_all.h"

namespace absorb {
namespace {

class KeepEverything final : public Selection {
 public:
  explicit KeepEverything(Weight weight) : weight_(weight) {}
  Routing select(Scores scores, const RoutingTask& task, const Pass&) const override {
    return {std::move(scores), KeepAll{}, weight_, Gradient::weights, task.visible};
  }
  SelectionCost cost(const RoutingTask& task) const override { return cost_of_all(task); }
  bool chooses() const override { return false; }

 private:
  Weight weight_;
};

}  // namespace

void add_keep_all(Selections& selections) {
  selections.add<NoSettings>("always", "every choice, equally: dense attention; all experts at weights that sum to 1",
                             [](const NoSettings&, const RoutingTask& task, Parameters) {
                               return std::make_shared<KeepEverything>(task.attention() ? Weight::one : Weight::mean);
                             });
  selections.add<NoSettings>("soft", "every choice, weighted by sigmoid(score)",
                             [](const NoSettings&, const RoutingTask&, Parameters) {
                               return std::make_shared<KeepEverything>(Weight::sigmoid);
                             });
  selections.add<NoSettings>("softmax", "every choice, weighted by the softmax over the visible choices",
                             [](const NoSettings&, const RoutingTask&, Parameters) {
                               return std::make_shared<KeepEverything>(Weight::softmax);
                             });
}

}  // namespace absorb
