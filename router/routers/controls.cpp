#include "router/routers/controls.h"

#include <torch/types.h>

#include "core/error.h"

namespace absorb {
namespace {

class Constant final : public Router {
 public:
  explicit Constant(const RoutingTask& task) : task_(task) {}
  Scores score(const RouterInput& input, const Pass&) const override {
    Scores scores = sized_scores(task_, input);
    scores.dense = at::zeros({1, task_.groups, 1, scores.choices_count}, input.items.options());
    // Keys: a slope that no weight feels makes a budget keep the most recent ones. Experts: ties keep 0..k-1.
    if (task_.attention()) scores.dense += at::arange(scores.choices_count, input.items.options()) * 1e-6;
    return scores;
  }
  Cost cost(const RoutingTask&) const override { return {}; }

 private:
  RoutingTask task_;
};

class Own final : public Router {
 public:
  explicit Own(const RoutingTask& task) : task_(task) {}
  Scores score(const RouterInput& input, const Pass&) const override {
    require(has_native(input), "router \"own\" {}",
            task_.attention()
                ? "needs a layer with scores of its own: attention with model.attention.native = \"qk\""
                : "of experts reads gains that are measured on a trained model: use it in a [[deployment]]");
    return input.native;
  }
  Cost cost(const RoutingTask&) const override { return {}; }  // the layer has made these scores
  // The gain of an expert is what it does to the loss, which only later tokens tell.
  bool causal(const RoutingTask& task) const override { return task.attention(); }

 private:
  RoutingTask task_;
};

class Redrawn final : public Router {
 public:
  explicit Redrawn(const RoutingTask& task, std::string name) : task_(task), name_(std::move(name)) {}
  Scores score(const RouterInput& input, const Pass& pass) const override {
    Scores scores = sized_scores(task_, input);
    scores.noise = task_.score_sd == 0 ? 1 : task_.score_sd;
    scores.key = pass.random("redrawn", name_);
    return scores;
  }
  Cost cost(const RoutingTask&) const override { return {}; }

 private:
  RoutingTask task_;
  std::string name_;
};

}  // namespace

void add_controls(Routers& routers) {
  routers.add<NoSettings>(
      "constant", "equal scores; a budget keeps the most recent keys, or experts 0..k-1",
      [](const NoSettings&, const RoutingTask& task, Parameters) { return std::make_shared<Constant>(task); },
      {.learns = false, .reads_input = false});
  routers.add<NoSettings>(
      "own", "the layer's own scores QK^T, or the measured gains of experts; with top_k: the oracle",
      [](const NoSettings&, const RoutingTask& task, Parameters) { return std::make_shared<Own>(task); },
      {.learns = false, .native = true, .gains = true});
  routers.add<NoSettings>("redrawn", "noise, redrawn at every step; with top_k: stochastic routing",
                          [](const NoSettings&, const RoutingTask& task, Parameters parameters) {
                            return std::make_shared<Redrawn>(task, parameters.prefix());
                          },
                          {.learns = false, .reads_input = false, .draws = true});
}

}  // namespace absorb
