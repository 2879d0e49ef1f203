// The weight gradient of experts with Hopper's products: the same shares and workspace as of grouped.cu's large tiles.
#pragma once

#include "moe/cuda/grouped/grouped.cuh"

namespace absorb::kernels {

/// fp32 numbers.
constexpr int64_t grouped_hopper_workspace = int64_t{2} * 132 * 256 * 128;
/// As grouped_weight_gradient, on a card of compute capability 9.0.
void grouped_weight_gradient_hopper(const GroupedWeightGradient& gradient, float* dw, float* workspace, void* stream);

}  // namespace absorb::kernels
