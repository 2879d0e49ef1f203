// Same inputs, same bits; what is saved is all there is; numbers without a gradient move in training steps alone.
#include <torch/types.h>

#include <algorithm>
#include <map>

#include "core/error.h"
#include "router/conformance/kit.h"

namespace absorb::conformance {
namespace {

std::map<std::string, Tensor> saved(const Parameters& parameters) {
  std::map<std::string, Tensor> out;
  for (const Stored& stored : parameters.stored()) out[stored.name] = stored.leaf.detach().clone();
  for (const auto& [name, tensor] : parameters.states()) out[name] = tensor.detach().clone();
  return out;
}

// By name, as a checkpoint does. Throws std::out_of_range or c10::Error where names or sizes differ.
void load(const std::map<std::string, Tensor>& from, const Parameters& to) {
  at::NoGradGuard no_grad;
  for (const Stored& stored : to.stored()) stored.leaf.detach().copy_(from.at(stored.name));
  for (const auto& [name, tensor] : to.states()) tensor.detach().copy_(from.at(name));
}

double difference(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
  double out = a.size() == b.size() ? 0 : 1;
  for (const auto& [name, tensor] : a) out += b.contains(name) ? differing(tensor, b.at(name)) : 1;
  return out;
}

void train(const Instance& instance, const Sample& sample, int64_t steps) {
  at::NoGradGuard no_grad;
  for (int64_t step = 1; step <= steps; ++step) {
    const Routing routing = instance.route(pass_over(sample, step, /*training=*/true));
    if (instance.has_state) instance.after_step(routing);
  }
}

Worst repeated(const Build& build, const Sample& sample) {
  Worst worst;
  const Instance instance = build(1);
  const Tensor first = instance.run(pass_over(sample)).detach().clone();
  worst.add(differing(first, instance.run(pass_over(sample))), "the second pass");
  const Instance fresh = build(1);
  worst.add(differing(first, fresh.run(pass_over(sample))), "a second instance of one seed");
  worst.add(difference(saved(instance.parameters), saved(fresh.parameters)), "parameters of one seed");
  return worst;
}

bool has_random_values(const Parameters& parameters) {
  for (const Stored& stored : parameters.stored())
    for (const Slice& slice : stored.slices)
      if (slice.init.kind == Init::Kind::normal) return true;
  return false;
}

// Random initial values that another seed leaves the same.
Worst seedless(const Build& build) {
  Worst worst;
  const Parameters one = build(1).parameters, other = build(2).parameters;
  const auto found = saved(other);
  for (const Stored& stored : one.stored())
    for (const Slice& slice : stored.slices)
      if (slice.init.kind == Init::Kind::normal && differing(stored.leaf, found.at(stored.name)) == 0)
        worst.add(1, slice.name);
  return worst;
}

// Whether another step changes anything: for those that draw, whether it doesn't.
Worst step_dependence(const Build& build, const Sample& sample, bool draws) {
  Worst worst;
  const Instance instance = build(1);
  for (const bool training : {false, true}) {
    const Tensor one = instance.run(pass_over(sample, 1, training)).detach().clone();
    const double found = differing(one, instance.run(pass_over(sample, 2, training)));
    if (draws && training)
      worst.add(found == 0 ? 1 : 0, "no new draw at another step");
    else if (!draws)
      worst.add(found, training ? "in training" : "in evaluation");
  }
  return worst;
}

Worst token_dependence(const Build& build, const Sample& sample, bool reads) {
  const Instance instance = build(1);
  const Tensor one = instance.run(pass_over(sample)).detach().clone();
  Sample other = sample;
  other.tokens = at::remainder(sample.tokens + 1, sample.tokens.max().item<int64_t>() + 1);
  const double found = differing(one, instance.run(pass_over(other)));
  if (!reads) return {found, "other tokens, other scores"};
  return {found == 0 ? 1.0 : 0.0, "other tokens, the same scores"};
}

}  // namespace

void check_determinism(Checks& checks, const Build& build, const Sample& sample, const InstanceTraits& traits) {
  checks.add("determinism", "results that differ for the same inputs, pass and seed", 0,
             [&] { return repeated(build, sample); });
  if (has_random_values(build(1).parameters))
    checks.add("seed", "random initial values that another seed leaves the same", 0, [&] { return seedless(build); });
  checks.add("step", traits.draws ? "whether a step draws the last one's noise" : "results that another step changes",
             0, [&] { return step_dependence(build, sample, traits.draws); });
  checks.add("tokens", traits.tokens ? "whether token ids are unread" : "results that other token ids change", 0,
             [&] { return token_dependence(build, sample, traits.tokens); });
}

namespace {

Worst reloaded(const Build& build, const Sample& sample, int64_t steps) {
  Worst worst;
  const Instance one = build(1), other = build(2);
  train(one, sample, steps);
  load(saved(one.parameters), other.parameters);
  worst.add(differing(one.run(pass_over(sample)), other.run(pass_over(sample))), "right after loading");
  if (steps == 0) return worst;
  train(one, sample, 1);
  train(other, sample, 1);
  worst.add(differing(one.run(pass_over(sample)), other.run(pass_over(sample))), "a training step after loading");
  return worst;
}

// Numbers in Parameters that a pass changes, without a training step's end.
Worst moved_by_pass(const Build& build, const Sample& sample) {
  Worst worst;
  const Instance instance = build(1);
  const auto before = saved(instance.parameters);
  for (const bool training : {false, true}) {
    instance.run(pass_over(sample, 1, training));
    worst.add(difference(before, saved(instance.parameters)), training ? "in training" : "in evaluation");
  }
  return worst;
}

// 1 where neither the numbers that it keeps nor its results move.
Worst unmoved_by_steps(const Build& build, const Sample& sample) {
  const Instance instance = build(1);
  const auto before = saved(instance.parameters);
  const Tensor result = instance.run(pass_over(sample)).detach().clone();
  train(instance, sample, 3);
  const double found =
      difference(before, saved(instance.parameters)) + differing(result, instance.run(pass_over(sample)));
  return {found == 0 ? 1.0 : 0.0, "has_state(), but three steps changed nothing"};
}

// A routing that was made before a training step's end, and is read after it.
Worst changed_after_step(const Build& build, const Sample& sample) {
  at::NoGradGuard no_grad;
  const Instance instance = build(1);
  const Routing routing = instance.route(pass_over(sample, 1, /*training=*/true));
  const Tensor before = instance.value(routing).clone();
  instance.after_step(routing);
  return {differing(before, instance.value(routing))};
}

}  // namespace

void check_state(Checks& checks, const Build& build, const Sample& sample) {
  const Instance instance = build(1);
  if (!saved(instance.parameters).empty())
    checks.add("save and load", "results that differ after loading into an instance of another seed", 0,
               [&] { return reloaded(build, sample, 0); });
  checks.add("pass leaves state", "numbers that a pass changes", 0, [&] { return moved_by_pass(build, sample); });
  if (!instance.has_state) {
    checks.add("no state", "states that a type without has_state() adds", 0,
               [&] { return Worst{static_cast<double>(instance.parameters.states().size())}; });
    return;
  }
  checks.add("step moves state", "whether training steps change nothing", 0,
             [&] { return unmoved_by_steps(build, sample); });
  checks.add("routing outlives step", "elements of a routing that the end of its own step changes", 0,
             [&] { return changed_after_step(build, sample); });
  checks.add("state saved", "results that differ after three steps, saving and loading", 0,
             [&] { return reloaded(build, sample, 3); });
}

}  // namespace absorb::conformance
