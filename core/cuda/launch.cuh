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

inline cudaStream_t stream_of(void* stream) {
  return static_cast<cudaStream_t>(stream);
}

}  // namespace absorb::kernels
