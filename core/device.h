// Everything that asks LibTorch about devices, in one place.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace absorb {

/// "auto" (CUDA where there is one), "cpu" or "cuda". UserError that says why "cuda" can't be had.
at::Device find_device(std::string_view name);
/// Empty when a GPU can be used; otherwise the reason.
std::string why_no_cuda();
/// What stands in for a kernel in a build that has none: throws the UserError that says so.
[[noreturn]] void unavailable();
/// Empty when a driver of CUDA version `driver` (13010 is 13.1; 0: there is none) runs kernels built by `toolkit`.
std::string driver_complaint(int driver, int toolkit);
/// The stream that LibTorch's operations run on, as cudaStream_t.
void* current_cuda_stream(at::Device device);
/// From here on LibTorch throws where one of its operations waits for the GPU: for tests of what must not.
void forbid_synchronisation(bool forbidden);
/// Name of the GPU or the CPU model.
std::string device_name(at::Device device);
std::string gpu_name(at::Device device);
/// Peak bytes that LibTorch's allocator held on the GPU; 0 on a CPU.
int64_t peak_bytes(at::Device device);
/// Threads per operation, switches that libtorch.md's traps ask for (no cuDNN attention), TF32. They hold for the whole
/// process; from any thread, where what is asked for holds already, it writes nothing.
void configure_torch(int threads, bool tf32);

}  // namespace absorb
