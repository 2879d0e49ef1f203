// Selections broken on purpose are caught, each by the check that is for it and no other.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"
#include "tests/router/conformance_fixture.h"

namespace absorb {
namespace {

struct BudgetSettings {
  int64_t k = 2;
};
void fields(Fields& list, BudgetSettings& settings) {
  list.field("k", settings.k, {1, 1 << 20}, "Choices that each item keeps.");
}

enum class Slip {
  none,
  noisy_ties,
  keeps_all_ties,
  ignores_budget,
  takes_any_k,
  future,
  competes,
  states_all,
  denies_reach
};

class FaultySelection final : public Selection {
 public:
  FaultySelection(Slip slip, int64_t k) : slip_(slip), k_(k) {}

  Routing select(Scores scores, const RoutingTask& task, const Pass& pass) const override {
    const bool any = slip_ == Slip::takes_any_k;
    require(any || k_ <= scores.choices_count, "selection.k = {} is above the number of choices", k_);
    Tensor values = dense(detached(scores));
    if (slip_ == Slip::noisy_ties)
      values = values + 1e-9 * gauss(pass.random("ties", "site"), values.sizes(), at::kCPU);
    const int64_t k = std::min(k_, scores.choices_count);
    const Visible seen = slip_ == Slip::future ? Visible::all : task.visible;
    const Routing chosen{scores, top_k(values, k, seen, false), Weight::one, Gradient::none, seen};
    Routing routing{std::move(scores), KeepAll{}, Weight::softmax_kept, Gradient::weights, seen};
    if (slip_ == Slip::keeps_all_ties)
      routing.keep = KeepMask{values >= std::get<KeepTop>(chosen.keep).threshold.unsqueeze(-1)};
    else if (slip_ == Slip::competes)  // every choice keeps its best six items, whenever they come
      routing.keep = KeepMask{values >= std::get<0>(values.topk(6, 2)).narrow(2, 5, 1)};
    else if (slip_ != Slip::ignores_budget)
      routing.keep = KeepMask{keep_mask(chosen, values)};
    return routing;
  }

  SelectionCost cost(const RoutingTask& task) const override {
    SelectionCost cost = cost_of_all(task);
    if (slip_ != Slip::ignores_budget && slip_ != Slip::competes && slip_ != Slip::states_all)
      cost.active = std::min(cost.active, static_cast<double>(k_));
    return cost;
  }
  bool reaches_router() const override { return slip_ != Slip::denies_reach; }

 private:
  Slip slip_;
  int64_t k_;
};

Failures selection_failures(Slip slip) {
  Registries broken;
  broken.selections.add<BudgetSettings>("faulty", "",
                                        [slip](const BudgetSettings& settings, const RoutingTask&, Parameters) {
                                          return std::make_shared<FaultySelection>(slip, settings.k);
                                        },
                                        {.budget = slip != Slip::competes});
  return failures(broken, {"faulty"});
}

TEST(ConformanceCatches, NothingInASelectionWithoutFault) {
  EXPECT_EQ(selection_failures(Slip::none), Failures{});
}

TEST(ConformanceCatches, TiesBrokenByChance) {
  EXPECT_EQ(selection_failures(Slip::noisy_ties), (Failures{"attention ties", "moe ties"}));
}

TEST(ConformanceCatches, ASelectionThatIgnoresItsBudget) {
  for (const Slip slip : {Slip::ignores_budget, Slip::keeps_all_ties})
    EXPECT_EQ(selection_failures(slip), (Failures{"attention budget", "moe budget"}));
}

TEST(ConformanceCatches, ABudgetAboveTheChoices) {
  EXPECT_EQ(selection_failures(Slip::takes_any_k), (Failures{"attention refuses k", "moe refuses k"}));
}

TEST(ConformanceCatches, ASelectionThatShowsTheFuture) {
  const Failures found = selection_failures(Slip::future);
  EXPECT_TRUE(found.contains("attention hidden"));
  EXPECT_TRUE(found.contains("attention future"));
  EXPECT_FALSE(found.contains("moe hidden"));
}

TEST(ConformanceCatches, ASelectionInWhichLaterItemsCompete) {
  EXPECT_EQ(selection_failures(Slip::competes), (Failures{"attention future", "moe future"}));
}

TEST(ConformanceCatches, ASelectionThatStatesMoreActiveExpertsThanItKeeps) {
  EXPECT_EQ(selection_failures(Slip::states_all), Failures{"moe active as stated"});
}

TEST(ConformanceCatches, ASelectionThatDeniesItsGradient) {
  EXPECT_EQ(selection_failures(Slip::denies_reach), (Failures{"attention reach as stated", "moe reach as stated"}));
}

}  // namespace
}  // namespace absorb
