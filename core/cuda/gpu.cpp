// Questions about the GPU that need CUDA headers; core/no_cuda.cpp answers them in a build without a toolkit.
#include <torch/types.h>

#include <ATen/Context.h>
#include <ATen/cuda/CUDAContextLight.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAStream.h>

#include "core/device.h"

namespace absorb {

std::string why_no_cuda() {
  if (!at::globalContext().hasCUDA() || at::cuda::device_count() == 0)
    return "no CUDA device was found on this machine";
  return "";
}

void* current_cuda_stream(at::Device device) {
  return c10::cuda::getCurrentCUDAStream(device.index()).stream();
}

std::string gpu_name(at::Device device) {
  return at::cuda::getDeviceProperties(device.index())->name;
}

int64_t peak_bytes(at::Device device) {
  if (!device.is_cuda()) return 0;
  return c10::cuda::CUDACachingAllocator::getDeviceStats(device.index()).allocated_bytes[0].peak;
}

}  // namespace absorb
