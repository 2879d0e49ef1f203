// attend() as kernels: nothing of size T x T is written. What they can't do, LibTorch's composition does.
#pragma once

#include "attention/attend.h"

namespace absorb::fused {

/// Empty where kernels compute this attention, else why not.
std::string why_no_kernel(const AttendInput& input, const Routing* routing);
/// attend() of a pass with fused weights; differentiable in input.packed and in the scores' factors.
Tensor attend(const AttendInput& input, const Routing* routing, const Pass& pass);

}  // namespace absorb::fused
