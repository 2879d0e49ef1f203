#include "router/losses/sparsity.h"

#include <torch/types.h>

#include "router/kernels.h"

namespace absorb {
namespace {

class Sparsity final : public RoutingLoss {
 public:
  explicit Sparsity(double target) : target_(target) {}
  Tensor loss(const Routing& routing, const RouterInput&, const RoutingTask&) const override {
    if (has_sparsity_kernel(routing)) return sparsity_by_kernel(routing, target_);
    const Tensor sparsity = 1 - mean_weight(routing);
    return (target_ - sparsity).relu().square();
  }

 private:
  double target_;
};

}  // namespace

void fields(Fields& list, SparsitySettings& settings) {
  fields(list, settings.common);
  list.field("target", settings.target, {0, 1}, "Share of the weight that should be closed.");
}

void add_sparsity(RoutingLosses& losses) {
  losses.add<SparsitySettings>(
      "sparsity", "relu(target - (1 - mean weight))^2, over all T x T entries",
      [](const SparsitySettings& settings, const RoutingTask&) { return std::make_shared<Sparsity>(settings.target); });
}

}  // namespace absorb
