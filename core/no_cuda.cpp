// Stands in for core/cuda/ in a build without a CUDA compiler.
#include "core/cuda/random.cuh"
#include "core/device.h"

namespace absorb {

std::string why_no_cuda() {
  return "this build has no CUDA kernels (no CUDA 13 toolkit was found when it was built)";
}
void forbid_synchronisation(bool) {}
std::string gpu_name(at::Device) {
  return "";
}
void* current_cuda_stream(at::Device) {
  return nullptr;
}
int64_t peak_bytes(at::Device) {
  return 0;
}

namespace philox {

void fill_cuda(Kind, float*, int64_t, uint64_t, const int64_t*, uint32_t, float, void*) {
  unavailable();
}

}  // namespace philox
}  // namespace absorb
