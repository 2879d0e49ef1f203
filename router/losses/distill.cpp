#include "router/losses/distill.h"

#include <torch/types.h>

#include "core/error.h"

namespace absorb {
namespace {

class Distill final : public RoutingLoss {
 public:
  Tensor loss(const Routing& routing, const RouterInput& input, const RoutingTask& task) const override {
    require(has_native(input), "loss \"distill\" needs {}",
            task.attention() ? "a layer with scores of its own: attention with model.attention.native = \"qk\""
                             : "measured gains of the experts");
    const Tensor mask =
        visible_mask(task.visible, routing.scores.items_count, routing.scores.choices_count, routing.scores.device);
    Tensor scores = dense(routing.scores);
    if (mask.defined()) scores = scores.masked_fill(mask.logical_not(), -std::numeric_limits<double>::infinity());
    const Tensor target = native_logits(input, task).log_softmax(-1), found = scores.log_softmax(-1);
    Tensor divergence = target.exp() * (target - found);
    if (mask.defined()) divergence = divergence.masked_fill(mask.logical_not(), 0);  // 0 x (-inf + inf)
    return divergence.sum(-1).mean();
  }
};

}  // namespace

void add_distill(RoutingLosses& losses) {
  losses.add<LossSettings>(
      "distill", "KL(softmax of the layer's own scores || softmax of the router's), the teacher without gradient",
      [](const LossSettings&, const RoutingTask&) { return std::make_shared<Distill>(); },
      {.native = true, .gains = true});
}

}  // namespace absorb
