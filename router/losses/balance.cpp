#include "router/losses/balance.h"

#include <torch/types.h>

#include "core/error.h"

namespace absorb {
namespace {

class LoadBalance final : public RoutingLoss {
 public:
  Tensor loss(const Routing& routing, const RoutingTask& task) const override {
    const Tensor kept = counts(routing)[0];                                        // [E]
    const Tensor share = (kept / kept.sum()).to(routing.scores.device);            // f
    const Tensor probability = dense(routing.scores).softmax(-1).mean({0, 1, 2});  // P [E]
    return (share.to(probability.scalar_type()) * probability).sum() * static_cast<double>(task.choices);
  }
};

class ZLoss final : public RoutingLoss {
 public:
  Tensor loss(const Routing& routing, const RoutingTask&) const override {
    const Scores& scores = routing.scores;
    const Tensor mask = visible_mask(routing.visible, scores.items_count, scores.choices_count, scores.device);
    Tensor s = dense(scores);
    if (mask.defined()) s = s.masked_fill(mask.logical_not(), -std::numeric_limits<double>::infinity());
    return s.logsumexp(-1).square().mean();
  }
};

}  // namespace

void add_balance(RoutingLosses& losses) {
  losses.add<LossSettings>("load_balance", "E sum_e f_e P_e: experts only, 1 at perfect balance",
                           [](const LossSettings&, const RoutingTask& task) {
                             require(!task.attention(),
                                     "loss \"load_balance\" is for experts: set it under "
                                     "routing.moe.losses, since keys need not be used equally");
                             return std::make_shared<LoadBalance>();
                           });
  losses.add<LossSettings>("z_loss", "mean squared logsumexp of the scores",
                           [](const LossSettings&, const RoutingTask&) { return std::make_shared<ZLoss>(); });
}

}  // namespace absorb
