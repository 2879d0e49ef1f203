// Tensors of heads inside larger ones, as launchers take them: no CUDA header and no torch header.
#pragma once

#include "tensors/cuda/types.h"

namespace absorb::kernels {

/// [B,T,H,n] inside a larger tensor: element (b,t,h,i) is data[b * batch + t * item + h * head + i]. `data` is a
/// multiple of 16 bytes, the strides (counted in elements) are multiples of 8.
struct View {
  const Bf16* data = nullptr;
  int64_t batch = 0, item = 0, head = 0;
};
struct MutableView {
  Bf16* data = nullptr;
  int64_t batch = 0, item = 0, head = 0;
};

}  // namespace absorb::kernels
