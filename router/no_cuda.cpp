// Stands in for router/cuda/ in a build without a CUDA compiler.
#include "core/device.h"
#include "core/error.h"
#include "router/cuda/balance.cuh"
#include "router/cuda/mean_weight.cuh"
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

int64_t mean_weight_workspace(const MeanWeight&) {
  no_kernels();
}
void mean_weight_forward(const MeanWeight&, float*, float*, void*) {
  no_kernels();
}
void mean_weight_backward(const MeanWeight&, const float*, const FactorGradient&, const FactorGradient&, void*) {
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
