#include "moe/cost.h"

namespace absorb {
namespace {

Cost of_experts(const Cost& one, int64_t experts, double active) {
  return {
      .parameters = one.parameters * experts, .operations = one.operations * active, .results = one.results * active};
}

}  // namespace

HiddenCost experts_cost(const MoeSettings& settings, const MoeShape& shape, double active) {
  const Cost in =
      product_cost(shape.width, inputs_of_activation(settings.activation) * settings.hidden, settings.biases);
  const Cost out = product_cost(settings.hidden, shape.width, settings.biases);
  return {of_experts(in, settings.experts, active), of_experts(out, settings.experts, active)};
}

}  // namespace absorb
