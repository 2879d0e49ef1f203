// What types say of themselves with functions, not Traits: that they are causal, and what they cost.
#include <torch/types.h>

#include <cmath>

#include "core/error.h"
#include "router/conformance/kit.h"

namespace absorb::conformance {
namespace {

// What a routing makes of the items up to t: weights and kept choices.
struct Past {
  Tensor weights, kept;
};

Past past_of(const Routing& routing, int64_t t) {
  const Tensor scores = dense(routing.scores), mask = keep_mask(routing, scores);
  const Tensor kept = mask.defined() ? mask.expand_as(scores) : at::ones_like(scores, at::kBool);
  return {weights(routing).narrow(2, 0, t + 1), kept.narrow(2, 0, t + 1)};
}

void add_differences(Worst& worst, const Past& before, const Past& after, int64_t t, bool training) {
  const std::string where = fmt::format("up to position {}{}", t, training ? " in training" : "");
  worst.add(differing(before.weights, after.weights), "weights " + where);
  worst.add(differing(before.kept, after.kept), "kept choices " + where);
}

}  // namespace

Worst changed_by_future(const Router& router, const RoutingTask& task, const Sample& past, const Sample& future) {
  constexpr int64_t k = 3;
  Worst worst;
  if (!router.causal(task)) return worst;
  for (const bool training : {false, true}) {
    const auto soft = [&](const Sample& on) -> Routing {
      const Scores scores = materialised(router.score(on.input, pass_over(on, /*step=*/1, training)));
      return {scores, KeepAll{}, Weight::sigmoid, Gradient::weights, task.visible};
    };
    const auto hard = [&](Routing routing) {
      routing.keep = top_k(dense(routing.scores), k, task.visible, false);
      return routing;
    };
    const Routing before = soft(past);
    for (int64_t t = 0; t + 1 < past.input.items.size(1); ++t) {
      const Routing after = soft(spliced(past, future, t));
      add_differences(worst, past_of(before, t), past_of(after, t), t, training);
      add_differences(worst, past_of(hard(before), t), past_of(hard(after), t), t, training);
    }
  }
  return worst;
}

// Other scores of all later items, and of the choices that can't be seen.
Worst changed_by_future(const Selection& selection, const RoutingTask& task, const Tensor& past, const Tensor& future) {
  Worst worst;
  if (!selection.causal(task)) return worst;
  const int64_t items = past.size(2);
  const Tensor visible = visible_mask(task.visible, items, past.size(3), at::kCPU);
  const Tensor seen = visible.defined() ? at::where(visible, past, future) : past;
  for (const bool training : {false, true}) {
    const auto select = [&](const Tensor& scores) {
      return selection.select(scores_of(scores), task, Pass{.in = {.training = training}});
    };
    const Routing before = select(past);
    for (int64_t t = 0; t + 1 < items; ++t) {
      const Tensor scores = at::cat({seen.narrow(2, 0, t + 1), future.narrow(2, t + 1, items - t - 1)}, 2);
      add_differences(worst, past_of(before, t), past_of(select(scores), t), t, training);
    }
  }
  return worst;
}

Worst unlike_stated(const Parameters& parameters, const Cost& cost) {
  const int64_t added = parameters.counts().unique, said = cost.parameters;
  return {static_cast<double>(std::abs(added - said)), fmt::format("{} added, {} stated", added, said)};
}

Worst active_unlike_stated(const Selection& selection, const RoutingTask& task, const Tensor& scores, bool budget) {
  const double said = selection.cost(task).active, all = static_cast<double>(scores.size(-1));
  const Routing routing = selection.select(scores_of(scores), task, Pass{.in = {.training = true}});
  const Tensor mask = keep_mask(routing, scores);
  double needed = mask.defined() ? static_cast<double>(mask.expand_as(scores).sum(-1).max().item<int64_t>()) : all;
  if (routing.gradient == Gradient::straight_through) needed = all;
  const bool wrong = said > all || said < needed || (budget && said != needed);
  return {wrong ? std::max(std::abs(said - needed), 1.0) : 0, fmt::format("{} needed, {} stated", needed, said)};
}

}  // namespace absorb::conformance
