// Tasks and inputs that the conformance kit tries types on.
#include <torch/types.h>

#include "router/conformance/kit.h"

namespace absorb::conformance {
namespace {

constexpr int64_t vocabulary = 17;

Tensor random(const std::string& what, int64_t draw, at::IntArrayRef shape, at::ScalarType dtype) {
  return gauss({stream_key(static_cast<uint64_t>(draw), "conformance/" + what), {}}, shape, at::kCPU).to(dtype);
}

// Everything after position t comes from `other`.
Tensor spliced(const Tensor& x, const Tensor& other, int64_t dimension, int64_t t) {
  if (!x.defined()) return x;
  const int64_t rest = x.size(dimension) - t - 1;
  return at::cat({x.narrow(dimension, 0, t + 1), other.narrow(dimension, t + 1, rest)}, dimension);
}

}  // namespace

std::string to_string(Role role) {
  return role == Role::attention ? "attention" : "moe";
}

RoutingTask task_for(Role role, const Sizes& sizes) {
  RoutingTask task;
  task.width = sizes.width;
  task.context = sizes.items;
  task.vocabulary = vocabulary;
  if (role == Role::attention) {
    task.groups = sizes.groups;
    task.visible = Visible::causal;
    task.component = {0, Part::attention_router, 0};
  } else {
    task.choices = sizes.experts;
    task.component = {0, Part::expert_router, 0};
  }
  return task;
}

std::vector<int64_t> score_sizes(Role role, const Sizes& s) {
  if (role == Role::attention) return {s.batch, s.groups, s.items, s.items};
  return {s.batch, 1, s.items, s.experts};
}

Sample sample(Role role, const SampleOptions& options) {
  const auto& [native, draw, sizes, dtype] = options;
  Sample sample;
  sample.input.items = random("items", draw, {sizes.batch, sizes.items, sizes.width}, dtype);
  if (role == Role::attention) sample.input.choices = sample.input.items.clone();
  sample.tokens = (uniform({stream_key(static_cast<uint64_t>(draw), "conformance/tokens"), {}},
                           {sizes.batch, sizes.items}, at::kCPU) *
                   static_cast<double>(vocabulary))
                      .to(at::kLong);
  if (!native) return sample;
  const std::vector<int64_t> full = score_sizes(role, sizes);
  Scores& scores = sample.input.native;
  scores.batch = full[0];
  scores.groups = full[1];
  scores.items_count = full[2];
  scores.choices_count = full[3];
  if (role == Role::attention) {
    const std::vector<int64_t> factor = {full[0], full[1], full[2], 4};
    scores.items = random("q", draw, factor, dtype) / 2;
    scores.choices = random("k", draw, factor, dtype);
  } else {
    scores.dense = random("gains", draw, full, dtype);
  }
  return sample;
}

Sample moved(const Sample& sample, at::Device device) {
  Sample out = sample;
  for (Tensor* x : {&out.input.items, &out.input.choices, &out.input.native.items, &out.input.native.choices,
                    &out.input.native.dense, &out.tokens})
    if (x->defined()) *x = x->to(device);
  out.input.native.device = device;
  return out;
}

std::vector<std::pair<std::string, Tensor>> tensors_of(const RouterInput& input) {
  std::vector<std::pair<std::string, Tensor>> out;
  for (const auto& [name, tensor] :
       {std::pair("items", input.items), std::pair("choices", input.choices),
        std::pair("native.items", input.native.items), std::pair("native.choices", input.native.choices),
        std::pair("native.dense", input.native.dense)})
    if (tensor.defined()) out.emplace_back(name, tensor);
  return out;
}

Pass pass_over(const Sample& sample, int64_t step, bool training) {
  const auto on = at::TensorOptions().dtype(at::kLong).device(sample.input.items.device());
  return {.in = {.training = training, .seed = 3, .step = at::full({}, step, on), .tokens = sample.tokens}};
}

Tensor spread_scores(Role role, int64_t draw, at::ScalarType dtype) {
  const std::vector<int64_t> full = score_sizes(role);
  const int64_t middle = full[3] / 2;
  // Ranks in a random order, 0.15 apart; the shift keeps them off 0, the jitter stays far below the distance.
  const Tensor rank = random("ranks", draw, full, at::kDouble).argsort(static_cast<int64_t>(-1)).to(at::kDouble);
  const Tensor jitter = random("jitter", draw, full, at::kDouble).clamp(-2, 2) * 0.005;
  return ((rank - static_cast<double>(middle)) * 0.15 + 0.07 + jitter).to(dtype);
}

Sample spliced(const Sample& past, const Sample& future, int64_t t) {
  Sample out = past;
  out.tokens = spliced(past.tokens, future.tokens, 1, t);
  out.input.items = spliced(past.input.items, future.input.items, 1, t);
  out.input.choices = spliced(past.input.choices, future.input.choices, 1, t);
  out.input.native.items = spliced(past.input.native.items, future.input.native.items, 2, t);
  out.input.native.choices = spliced(past.input.native.choices, future.input.native.choices, 2, t);
  out.input.native.dense = spliced(past.input.native.dense, future.input.native.dense, 2, t);
  return out;
}

}  // namespace absorb::conformance
