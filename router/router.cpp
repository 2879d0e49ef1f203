#include "router/router.h"

#include <torch/types.h>

#include <limits>

namespace absorb {

Scores sized_scores(const RoutingTask& task, const RouterInput& input) {
  Scores scores;
  scores.batch = input.items.size(0);
  scores.groups = task.groups;
  scores.items_count = input.items.size(1);
  scores.choices_count = task.attention() ? input.choices.size(1) : task.choices;
  scores.device = input.items.device();
  return scores;
}

bool has_native(const RouterInput& input) {
  return input.native.items.defined() || input.native.dense.defined();
}

Tensor native_logits(const RouterInput& input, const RoutingTask& task) {
  Tensor native = dense(input.native).detach();
  if (!task.attention()) native = native / native.var(-1, /*unbiased=*/false).mean().sqrt().clamp_min(1e-30);
  const Tensor mask = visible_mask(task.visible, native.size(-2), native.size(-1), native.device());
  return mask.defined() ? native.masked_fill(mask.logical_not(), -std::numeric_limits<double>::infinity()) : native;
}

Tensor split_groups(const Tensor& x, int64_t groups) {
  return x.view({x.size(0), x.size(1), groups, -1}).transpose(1, 2);
}

}  // namespace absorb
