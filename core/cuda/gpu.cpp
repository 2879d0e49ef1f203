// Questions about the GPU that need CUDA headers; core/no_cuda.cpp answers them in a build without a toolkit.
#include <fmt/format.h>
#include <torch/types.h>

#include <ATen/Context.h>
#include <ATen/cuda/CUDAContextLight.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

#include <cuda_runtime_api.h>

#include "core/cuda/image.cuh"
#include "core/device.h"

namespace absorb {

std::string why_no_cuda() {
  int driver = 0, toolkit = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&toolkit);
  if (const std::string complaint = driver_complaint(driver, toolkit); !complaint.empty()) return complaint;
  if (!at::globalContext().hasCUDA() || at::cuda::device_count() == 0)
    return "no CUDA device was found on this machine";
  if (!kernels::has_code_for_this_gpu()) {
    const cudaDeviceProp* card = at::cuda::getDeviceProperties(0);
    return fmt::format("this build has no kernels for a {} (compute capability {}.{}): build with `cmake --preset fat`",
                       card->name, card->major, card->minor);
  }
  return "";
}

void* current_cuda_stream(at::Device device) {
  return c10::cuda::getCurrentCUDAStream(device.index()).stream();
}

void forbid_synchronisation(bool forbidden) {
  c10::cuda::warning_state().set_sync_debug_mode(forbidden ? c10::cuda::SyncDebugMode::L_ERROR
                                                           : c10::cuda::SyncDebugMode::L_DISABLED);
}

std::string gpu_name(at::Device device) {
  return at::cuda::getDeviceProperties(device.index())->name;
}

int64_t peak_bytes(at::Device device) {
  if (!device.is_cuda()) return 0;
  return c10::cuda::CUDACachingAllocator::getDeviceStats(device.index()).allocated_bytes[0].peak;
}

}  // namespace absorb
