// Stands in for core/cuda/ in a build without a CUDA compiler.
#include "core/cuda/column_sums.cuh"
#include "core/cuda/random.cuh"
#include "core/device.h"
#include "core/error.h"
#include "core/kernel_trace.h"
#include "core/product.h"

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

void start_kernel_trace() {
  user_error("the kernels can't be traced: {}", why_no_cuda());
}
KernelTrace stop_kernel_trace() {
  return {};
}

void multiply_into(const Tensor&, const Tensor&, const Tensor&, bool) {
  user_error("{}: install one and build again, or use --device cpu", why_no_cuda());
}
bool is_pinned(const ProductShape&) {
  return false;
}

namespace philox {

void fill_cuda(Kind, float*, int64_t, uint64_t, const int64_t*, uint32_t, float, void*) {
  user_error("{}: install one and build again, or use --device cpu", why_no_cuda());
}

}  // namespace philox

namespace kernels {

void add_column_sums(const ColumnSums*, int64_t, void*) {
  user_error("{}: install one and build again, or use --device cpu", why_no_cuda());
}

}  // namespace kernels
}  // namespace absorb
