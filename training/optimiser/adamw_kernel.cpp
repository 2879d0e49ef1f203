// The optimiser's kernel on the flat storage.
#include "training/optimiser/adamw.h"

#include <torch/types.h>

#include "tensors/kernels/kernel_arguments.h"
#include "training/cuda/adamw.cuh"

namespace absorb {

Tensor AdamW::step_by_kernel(const Tensor& rate) {
  const Tensor &values = parameters_.flat(), norm = empty_like_on(values, {}, at::kFloat);
  const Tensor workspace = workspace_of(kernels::adamw_bytes(), values);
  kernels::AdamWStep call;
  call.count = values.numel();
  call.values = write<float>(values);
  call.gradient = write<float>(parameters_.flat_gradient());
  call.first = write<float>(first_);
  call.second = write<float>(second_);
  call.shadow = write<Bf16>(fused_->flat_bf16());
  call.rate = read<float>(rate);
  call.steps = write<float>(count_);
  call.norm = write<float>(norm);
  call.ranges = read<kernels::AdamWRange>(ranges_on_device_);
  call.range_count = static_cast<int64_t>(ranges_.size());
  call.beta1 = settings_.beta1;
  call.beta2 = settings_.beta2;
  call.weight_decay = settings_.weight_decay;
  call.epsilon = settings_.epsilon;
  call.clip = settings_.clip;
  call.workspace = workspace.data_ptr();
  kernels::adamw_step(call, stream_for(values));
  return norm;
}

}  // namespace absorb
