// Stands in for router/cuda/ in a build without a CUDA compiler.
#include "core/device.h"
#include "router/cuda/balance.cuh"
#include "router/cuda/sparsity.cuh"
#include "router/cuda/top_k.cuh"

namespace absorb::kernels {
int64_t most_top_keys_items(int64_t) {
  return 0;
}
void top_keys(const TopKeys&, float*, int32_t*, void*) {
  unavailable();
}

int64_t sparsity_workspace(const Sparsity&) {
  unavailable();
}
void sparsity_forward(const Sparsity&, const SparsityForward&, void*) {
  unavailable();
}
void sparsity_backward(const Sparsity&, const SparsityBackward&, void*) {
  unavailable();
}
int64_t balance_workspace(const Balance&) {
  unavailable();
}
void balance_forward(const Balance&, float*, float*, float*, void*) {
  unavailable();
}
void balance_backward(const Balance&, const float*, const float*, float*, Bf16*, void*) {
  unavailable();
}

}  // namespace absorb::kernels
