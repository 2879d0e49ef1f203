#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include "compensation/subject/sketch.h"
#include "core/error.h"
#include "studies/subject/run_subject.h"

namespace absorb {
namespace {

std::vector<Coordinates> coordinates_of(std::span<const Group> groups, const std::vector<Parameters>& stores) {
  std::vector<Coordinates> out;
  for (const Group& group : groups) out.emplace_back(stores, group.components);
  return out;
}

/// Gradients by leaf, laid out as the flat storage.
Tensor flat_of(const Parameters& parameters, const std::vector<Tensor>& by_leaf) {
  Tensor flat = at::zeros_like(parameters.flat());
  std::size_t i = 0;
  for (const Stored& stored : parameters.stored()) {
    const Tensor& gradient = by_leaf[i++];
    if (gradient.defined()) flat.narrow(0, stored.offset, stored.leaf.numel()).copy_(gradient.detach().reshape({-1}));
  }
  return flat;
}

/// Sum over leaves of gradient . v, with v laid out as the flat storage.
Tensor dot(const Parameters& parameters, const std::vector<Tensor>& by_leaf, const Tensor& v) {
  Tensor sum = at::zeros({}, v.options());
  std::size_t i = 0;
  for (const Stored& stored : parameters.stored()) {
    const Tensor& gradient = by_leaf[i++];
    if (!gradient.defined()) continue;
    sum = sum + (gradient * v.narrow(0, stored.offset, stored.leaf.numel()).view(stored.leaf.sizes())).sum();
  }
  return sum;
}

std::vector<Tensor> leaves_of(const Parameters& parameters) {
  std::vector<Tensor> leaves;
  for (const Stored& stored : parameters.stored()) leaves.push_back(stored.leaf);
  return leaves;
}

std::vector<Tensor> gradients_of(const Tensor& loss, const Parameters& parameters, bool twice) {
  return torch::autograd::grad({loss}, leaves_of(parameters), {}, /*retain_graph=*/twice, /*create_graph=*/twice,
                               /*allow_unused=*/true);
}

}  // namespace

std::vector<Tensor> RunSubject::example_gradients(std::span<const Group> groups, Examples examples, int64_t dimension) {
  const Disturbed plain(*this, {});
  const std::vector<Coordinates> coordinates = coordinates_of(groups, plain.stores());
  std::vector<CountSketch> sketches;
  for (std::size_t g = 0; g < groups.size(); ++g)
    sketches.emplace_back(stream_key(0, "gradients/" + groups[g].name), coordinates[g].numbers(), dimension,
                          run_.device());
  const TokenLosses losses = run_.losses(plain.routes());
  std::vector<std::vector<Tensor>> rows(groups.size());
  for (std::size_t e = 0; e < examples.size(); ++e) {
    const Batch batch = sequences(examples.subspan(e, 1));
    Pass pass{.in = {.seed = static_cast<uint64_t>(settings_.seed),
                     .step = at::full({}, examples[e], batch.tokens.options())}};
    run_.parameters().flat_gradient().zero_();
    mean_loss_of(losses(batch, pass), batch).backward();
    const at::NoGradGuard no_grad;
    for (std::size_t g = 0; g < groups.size(); ++g) rows[g].push_back(sketches[g].compress(coordinates[g].gradients()));
  }
  std::vector<Tensor> out;
  for (const std::vector<Tensor>& row : rows) out.push_back(at::stack(row));
  return out;
}

std::vector<Tensor> RunSubject::gradients(std::span<const Group> groups, const Disturbance& disturbance,
                                          Examples examples) {
  const Disturbed disturbed(*this, disturbance);
  const TokenLosses losses = run_.losses(disturbed.routes());
  for (const Parameters& store : disturbed.stores()) store.flat_gradient().zero_();
  const auto all = static_cast<double>(examples.size());
  each_batch(examples, [&](const Batch& batch, Pass& pass) {
    const Tensor loss = mean_loss_of(losses(batch, pass), batch);
    (loss * (static_cast<double>(batch.tokens.size(0)) / all)).backward();
  });
  std::vector<Tensor> out;
  for (const Coordinates& coordinates : coordinates_of(groups, disturbed.stores()))
    out.push_back(coordinates.numbers() > 0 ? coordinates.gradients() : at::zeros({0}));
  return out;
}

std::vector<Tensor> RunSubject::hessian_products(std::span<const Group> groups, std::size_t block, const Tensor& v,
                                                 Examples examples) {
  const Parameters& parameters = run_.parameters();
  const std::vector<Coordinates> coordinates = coordinates_of(groups, {parameters});
  check(v.numel() == coordinates[block].numbers(), "[RunSubject] v has {} numbers, its group {}", v.numel(),
        coordinates[block].numbers());
  const Tensor direction = at::zeros_like(parameters.flat());
  coordinates[block].put(v.to(direction.options()), {direction});
  const TokenLosses losses = run_.losses();
  Tensor product = at::zeros_like(direction);
  const auto all = static_cast<double>(examples.size());
  each_batch(examples, [&](const Batch& batch, Pass& pass) {
    PassInput twice = pass.in;
    twice.twice_differentiable = true;
    Pass again{.in = std::move(twice)};
    const Tensor loss = mean_loss_of(losses(batch, again), batch) * (static_cast<double>(batch.tokens.size(0)) / all);
    const Tensor along = dot(parameters, gradients_of(loss, parameters, true), direction);
    const at::NoGradGuard no_grad;
    product += flat_of(parameters, gradients_of(along, parameters, false));
  });
  std::vector<Tensor> out;
  for (const Coordinates& one : coordinates) out.push_back(one.of({product}));
  return out;
}

}  // namespace absorb
