// Tensors as the plain pointers that launchers take. For the C++ around kernels.
#pragma once

#include <ATen/core/Tensor.h>

#include "core/device.h"
#include "tensors/cuda/types.h"
#include "tensors/pass.h"

namespace absorb {

template <class T>
const T* read(const Tensor& x) {
  return x.defined() ? static_cast<const T*>(x.const_data_ptr()) : nullptr;
}
template <class T>
T* write(const Tensor& x) {
  return x.defined() ? static_cast<T*>(x.data_ptr()) : nullptr;
}
inline void* stream_for(const Tensor& x) {
  return current_cuda_stream(x.device());
}
/// Uninitialised, without history, where x is.
Tensor empty_like_on(const Tensor& x, at::IntArrayRef shape, at::ScalarType type);
/// n bytes where x is.
Tensor workspace_of(std::size_t n, const Tensor& x);

/// The dropout that Pass::dropout would apply at this site: none in evaluation. Whoever keeps it for a backward pass
/// keeps pass.in.step, too.
kernels::Dropout dropout_of(const Pass& pass, double rate, const Site& site);

}  // namespace absorb
