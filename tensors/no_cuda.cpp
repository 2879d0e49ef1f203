// Stands in for tensors/cuda/ in a build without a CUDA compiler.
#include "core/device.h"
#include "core/error.h"
#include "tensors/cuda/column_sums.cuh"
#include "tensors/kernels/kernel_trace.h"
#include "tensors/linear/product.h"

namespace absorb {

void start_kernel_trace() {
  user_error("the kernels can't be traced: {}", why_no_cuda());
}
KernelTrace stop_kernel_trace() {
  return {};
}

void multiply_into(const Tensor&, const Tensor&, const Tensor&, bool) {
  unavailable();
}
bool is_pinned(const ProductShape&) {
  return false;
}

namespace kernels {

void add_column_sums(const ColumnSums*, int64_t, void*) {
  unavailable();
}

}  // namespace kernels
}  // namespace absorb
