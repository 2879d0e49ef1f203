// Stands in for router/cuda/ in a build without a CUDA compiler.
#include "core/device.h"
#include "core/error.h"
#include "router/cuda/balance.cuh"
#include "router/cuda/sparsity.cuh"
#include "router/cuda/top_k.cuh"

namespace absorb::kernels {
namespace {

[[noreturn]] void no_kernels() {
  user_error("{}: install one and build again, or use --device cpu", why_no_cuda());
}

}  // namespace

int64_t most_top_keys_items(int64_t) {
  return 0;
}
void top_keys(const TopKeys&, float*, int32_t*, void*) {
  no_kernels();
}

int64_t sparsity_workspace(const Sparsity&) {
  no_kernels();
}
void sparsity_forward(const Sparsity&, const SparsityForward&, void*) {
  no_kernels();
}
void sparsity_backward(const Sparsity&, const SparsityBackward&, void*) {
  no_kernels();
}
int64_t balance_workspace(const Balance&) {
  no_kernels();
}
void balance_forward(const Balance&, float*, float*, float*, void*) {
  no_kernels();
}
void balance_backward(const Balance&, const float*, const float*, float*, Bf16*, void*) {
  no_kernels();
}

}  // namespace absorb::kernels
