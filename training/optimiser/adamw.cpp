#include "training/optimiser/adamw.h"

#include <torch/types.h>

#include "core/error.h"
#include "training/cuda/adamw.cuh"
#include "training/optimiser/rates.h"

namespace absorb {

namespace {

// As the kernel reads them: here rather than in the step, since this copy waits for the GPU.
Tensor on_device(const std::vector<RateRange>& ranges, at::Device device) {
  std::vector<kernels::AdamWRange> out;
  for (const RateRange& range : ranges) out.push_back({range.begin, range.end, static_cast<float>(range.ratio)});
  const auto size = static_cast<int64_t>(out.size() * sizeof(out[0]));
  return at::from_blob(out.data(), {size}, at::kByte).to(device, /*non_blocking=*/false, /*copy=*/true);
}

}  // namespace

AdamW::AdamW(const Parameters& parameters, const TrainingSettings& settings, std::shared_ptr<const FusedWeights> fused)
    : parameters_(parameters),
      settings_(settings),
      fused_(std::move(fused)),
      first_(at::zeros_like(parameters.flat())),
      second_(at::zeros_like(parameters.flat())),
      count_(at::zeros({}, parameters.flat().options().dtype(at::kFloat))) {}

bool AdamW::prepare(int64_t step) {
  std::vector<RateRange> ranges = rate_ranges(parameters_, settings_, step);
  if (ranges == ranges_) return false;
  ranges_ = std::move(ranges);
  if (fused_) ranges_on_device_ = on_device(ranges_, parameters_.flat().device());
  return true;
}

Tensor AdamW::step(double rate, const Tensor& on_device) {
  at::NoGradGuard no_grad;
  return fused_ ? step_by_kernel(on_device) : step_by_libtorch(rate);
}

Tensor AdamW::step_by_libtorch(double rate) {
  const Tensor& gradient = parameters_.flat_gradient();
  std::map<double, std::vector<RateRange>> by_ratio;
  for (const RateRange& range : ranges_) {
    by_ratio[range.ratio].push_back(range);
    if (range.ratio == 0) gradient.narrow(0, range.begin, range.end - range.begin).zero_();
  }
  by_ratio.erase(0.0);
  const Tensor norm = gradient.norm();
  if (settings_.clip > 0) gradient.mul_((settings_.clip / (norm + 1e-6)).clamp_max(1.0));
  count_ += 1;
  for (const auto& [ratio, ranges] : by_ratio) {
    std::vector<Tensor> values, gradients, firsts, seconds;
    for (const RateRange& range : ranges) {
      const int64_t n = range.end - range.begin;
      values.push_back(parameters_.flat().narrow(0, range.begin, n));
      gradients.push_back(gradient.narrow(0, range.begin, n));
      firsts.push_back(first_.narrow(0, range.begin, n));
      seconds.push_back(second_.narrow(0, range.begin, n));
    }
    const std::vector<Tensor> counts(ranges.size(), count_);
    at::_fused_adamw_(values, gradients, firsts, seconds, {}, counts, rate * ratio, settings_.beta1, settings_.beta2,
                      settings_.weight_decay, settings_.epsilon, /*amsgrad=*/false, /*maximize=*/false);
  }
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
