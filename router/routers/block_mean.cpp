#include "router/routers/block_mean.h"

#include <torch/types.h>

#include "core/error.h"

namespace absorb {
namespace {

// Attention. All keys of a block share the score q_t . mean(k). Of the own block, which isn't over yet, only the mean
// of what t can see counts, so that nothing leaks from the future.
class KeyBlocks final : public Router {
 public:
  KeyBlocks(const RoutingTask& task, int64_t block) : task_(task), block_(block) {}

  Scores score(const RouterInput& input, const Pass&) const override {
    require(input.native.items.defined(),
            "router \"block_mean\" needs attention's own queries and keys: model.attention.native = \"qk\"");
    Scores scores = sized_scores(task_, input);
    const Tensor q = input.native.items * input.native.factor, &k = input.native.choices;  // [B,G,T,d]
    const int64_t items = scores.items_count, blocks = (items + block_ - 1) / block_;
    const Tensor index = at::arange(items, at::TensorOptions().dtype(at::kLong).device(q.device()));
    const Tensor of = index.floor_divide(block_);  // [T]
    // Blocks are an axis of a padded view: gradients are sums in a fixed order, where an index would add atomically.
    const Tensor padded = at::constant_pad_nd(k, {0, 0, 0, blocks * block_ - items}, 0)
                              .view({k.size(0), k.size(1), blocks, block_, k.size(3)});
    const Tensor whole = by_key(at::matmul(q, (padded.sum(3) / block_).transpose(-2, -1)), items);  // [B,G,T,T]
    // Mean of the own block up to t. (Of a padded last block only this one is ever seen.)
    const Tensor seen = (padded.cumsum(3) / at::arange(1, block_ + 1, k.options()).view({1, 1, 1, -1, 1}))
                            .view({k.size(0), k.size(1), blocks * block_, k.size(3)})
                            .narrow(2, 0, items);
    const Tensor own = (q * seen).sum(-1, true);  // [B,G,T,1]
    scores.dense = at::where(of.unsqueeze(1) == of.unsqueeze(0), own, whole);
    return scores;
  }

  // One product with the mean of every whole block that is seen, and one with that of the own block.
  Cost cost(const RoutingTask& task) const override {
    const double product = 2.0 * static_cast<double>(task.width);
    return {.operations = product,
            .pair_operations = product / static_cast<double>(block_),
            .results = static_cast<double>(task.width)};
  }

 private:
  // [...,blocks] -> [...,T]: every key of a block gets its block's number.
  Tensor by_key(const Tensor& x, int64_t items) const {
    return x.unsqueeze(-1).expand({-1, -1, -1, -1, block_}).flatten(-2).narrow(-1, 0, items);
  }
  RoutingTask task_;
  int64_t block_;
};

// Experts. The means start as random directions, so that experts differ, and follow the tokens that chose them.
class ExpertMeans final : public Router {
 public:
  ExpertMeans(const RoutingTask& task, double rate, const Parameters& parameters) : task_(task), rate_(rate) {
    const double sd = task.score_sd == 0 ? 1 : task.score_sd;
    const RandomKey key{stream_key(parameters.seed(), "init/" + parameters.prefix() + "means"), {}};
    means_ =
        parameters.state("means", gauss(key, {task.choices, task.width}, at::kCPU).mul_(sd).to(parameters.dtype()));
  }

  Scores score(const RouterInput& input, const Pass&) const override {
    Scores scores = sized_scores(task_, input);
    const double scale = 1 / std::sqrt(static_cast<double>(task_.width));
    scores.dense = at::linear(input.items, means_.clone() * scale).unsqueeze(1);
    return scores;
  }

  Cost cost(const RoutingTask& task) const override {
    Cost cost = product_cost(task.width, task.choices);
    cost.parameters = 0;  // the means are a state
    return cost;
  }

  bool has_state() const override { return true; }

  void after_step(std::span<const Routed> step) const override {
    Tensor count, sum;  // [E,1], [E,D]
    for (const auto& [input, routing] : step) {
      const Tensor x = input.items.reshape({-1, task_.width});
      const Tensor served = (weights(routing) > 0).view({-1, task_.choices}).to(x.scalar_type());  // [N,E]
      const Tensor number = served.sum(0).unsqueeze(1), total = at::matmul(served.t(), x);
      count = count.defined() ? count + number : number;
      sum = sum.defined() ? sum + total : total;
    }
    const Tensor mean = sum / count.clamp_min(1);
    means_.add_(at::where(count > 0, mean.to(means_.scalar_type()) - means_, at::zeros_like(means_)), rate_);
  }

 private:
  RoutingTask task_;
  double rate_;
  Tensor means_;  // [E,D]
};

}  // namespace

void fields(Fields& list, BlockMeanSettings& settings) {
  list.field("block", settings.block, {1, 1 << 20}, "Attention: keys of a block.");
  list.field("rate", settings.rate, {0, 1}, "Experts: how far a mean moves to the mean of a step's tokens.");
}

void add_block_mean(Routers& routers) {
  routers.add<BlockMeanSettings>(
      "block_mean", "q . mean of a block of keys; x . mean of the tokens that an expert served; no parameters",
      [](const BlockMeanSettings& settings, const RoutingTask& task, Parameters parameters) -> std::shared_ptr<Router> {
        if (task.attention()) return std::make_shared<KeyBlocks>(task, settings.block);
        return std::make_shared<ExpertMeans>(task, settings.rate, parameters);
      },
      {.learns = false, .native = true});
}

}  // namespace absorb
