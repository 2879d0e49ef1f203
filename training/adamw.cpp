#include "training/adamw.h"

#include <torch/types.h>

#include "core/error.h"

namespace absorb {

AdamW::AdamW(const Parameters& parameters, const TrainingSettings& settings)
    : parameters_(parameters),
      settings_(settings),
      first_(at::zeros_like(parameters.flat())),
      second_(at::zeros_like(parameters.flat())),
      count_(at::zeros({}, parameters.flat().options().dtype(at::kFloat))) {}

Tensor AdamW::step(double rate) {
  at::NoGradGuard no_grad;
  const Tensor& gradient = parameters_.flat_gradient();
  const Tensor norm = gradient.norm();
  if (settings_.clip > 0) gradient.mul_((settings_.clip / (norm + 1e-6)).clamp_max(1.0));
  count_ += 1;
  std::vector<Tensor> values, gradients, firsts, seconds, counts;
  for (const auto& [begin, end] : parameters_.trained_ranges()) {
    values.push_back(parameters_.flat().narrow(0, begin, end - begin));
    gradients.push_back(gradient.narrow(0, begin, end - begin));
    firsts.push_back(first_.narrow(0, begin, end - begin));
    seconds.push_back(second_.narrow(0, begin, end - begin));
    counts.push_back(count_);
  }
  at::_fused_adamw_(values, gradients, firsts, seconds, {}, counts, rate, settings_.beta1, settings_.beta2,
                    settings_.weight_decay, settings_.epsilon, /*amsgrad=*/false, /*maximize=*/false);
  return norm;
}

NamedTensors AdamW::state() const {
  return {{"first", first_}, {"second", second_}, {"count", count_}};
}

void AdamW::load(const std::map<std::string, Tensor>& state) {
  at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : this->state()) {
    const auto found = state.find(name);
    require(found != state.end() && found->second.sizes() == tensor.sizes(),
            "the optimiser's state has no fitting \"{}\": it belongs to another model", name);
    tensor.copy_(found->second);
  }
}

}  // namespace absorb
