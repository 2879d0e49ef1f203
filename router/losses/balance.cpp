#include "router/losses/balance.h"

#include <torch/types.h>

#include "core/error.h"
#include "router/kernels.h"

namespace absorb {
namespace {

class LoadBalance final : public RoutingLoss {
 public:
  Tensor loss(const Routing& routing, const RouterInput&, const RoutingTask& task) const override {
    if (has_balance_kernel(routing)) return load_balance_by_kernel(routing);
    const Tensor kept = counts(routing)[0];  // [E], what was routed, not what the scores say
    const Tensor share = (kept / kept.sum().clamp_min(1)).to(routing.scores.device);   // f; 0 where nothing is kept
    const Tensor probability = probabilities(routing).mean(at::IntArrayRef{0, 1, 2});  // P [E]
    return (share.to(probability.scalar_type()) * probability).sum() * static_cast<double>(task.choices);
  }

 private:
  // What a token's weights say of each expert, summing to one over all experts. Sigmoid weights are normalised by their
  // log-softmax-like form exp(log sigmoid - logsumexp log sigmoid): no epsilon in the denominator, which a router could
  // make large against its weights by shutting all of them.
  static Tensor probabilities(const Routing& routing) {
    const Tensor scores = dense(routing.scores);
    return routing.weight == Weight::sigmoid ? at::log_sigmoid(scores).softmax(-1) : scores.softmax(-1);
  }
};

class ZLoss final : public RoutingLoss {
 public:
  Tensor loss(const Routing& routing, const RouterInput&, const RoutingTask&) const override {
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
                           },
                           {.attention = false, .one_at_balance = true});
  losses.add<LossSettings>("z_loss", "mean squared logsumexp of the scores",
                           [](const LossSettings&, const RoutingTask&) { return std::make_shared<ZLoss>(); });
}

}  // namespace absorb
