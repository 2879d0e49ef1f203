// Stands in for moe/cuda/ in a build without a CUDA compiler.
#include "core/device.h"
#include "core/error.h"
#include "moe/cuda/activation.cuh"
#include "moe/cuda/dispatch.cuh"
#include "moe/cuda/grouped.cuh"
#include "moe/cuda/route.cuh"

namespace absorb::kernels {
namespace {

[[noreturn]] void no_kernels() {
  user_error("{}: install one and build again, or use --device cpu", why_no_cuda());
}

}  // namespace

void activation_forward(const ActivationCall&, Bf16*, void*) {
  no_kernels();
}
void activation_backward(const ActivationCall&, const ActivationGradients&, void*) {
  no_kernels();
}
size_t activation_backward_bytes(const ActivationCall&) {
  no_kernels();
}
void route_experts(const RouteExperts&, int32_t*, float*, void*) {
  no_kernels();
}
void route_experts_backward(const RouteExperts&, const RouteExpertsBackward&, void*) {
  no_kernels();
}
int64_t dispatch_workspace(int64_t, int64_t) {
  no_kernels();
}
void dispatch_pairs(const int32_t*, int64_t, int64_t, const Dispatched&, int32_t*, void*) {
  no_kernels();
}
void gather_rows(const TokenRows&, const Bf16*, Bf16*, void*) {
  no_kernels();
}
void gather_rows_backward(const TokenRows&, const Bf16*, Bf16*, bool, void*) {
  no_kernels();
}
void combine_rows(const CombineRows&, const Bf16*, Bf16*, void*) {
  no_kernels();
}
void combine_rows_backward(const CombineRows&, const Bf16*, const Bf16*, Bf16*, float*, void*) {
  no_kernels();
}
int64_t grouped_sums_workspace(int64_t, int64_t) {
  no_kernels();
}
void grouped_sums(const Bf16*, int64_t, const int32_t*, int64_t, float*, float*, void*) {
  no_kernels();
}
int64_t grouped_weight_gradient_workspace(const GroupedWeightGradient&) {
  no_kernels();
}
void grouped_weight_gradient(const GroupedWeightGradient&, float*, float*, void*) {
  no_kernels();
}
bool has_hopper_products() {
  return false;
}
void grouped_product(const GroupedProduct&, Bf16*, void*) {
  no_kernels();
}

}  // namespace absorb::kernels
