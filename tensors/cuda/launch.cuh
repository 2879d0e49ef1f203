// What every launcher ends with. For .cu files alone.
#pragma once

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

namespace absorb::kernels {

/// Throws what CUDA says of the launch just made.
inline void check_launch(const char* kernel) {
  if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess)
    throw std::runtime_error(std::string(kernel) + ": " + cudaGetErrorString(error));
}

/// Of the current device; throws where there is none.
inline int device_attribute(cudaDeviceAttr which) {
  int device = 0, value = 0;
  if (cudaGetDevice(&device) != cudaSuccess || cudaDeviceGetAttribute(&value, which, device) != cudaSuccess)
    throw std::runtime_error("the GPU does not answer");
  return value;
}

inline cudaStream_t stream_of(void* stream) {
  return static_cast<cudaStream_t>(stream);
}

}  // namespace absorb::kernels
