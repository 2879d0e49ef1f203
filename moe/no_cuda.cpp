// Stands in for moe/cuda/ in a build without a CUDA compiler.
#include "core/device.h"
#include "moe/cuda/activation.cuh"
#include "moe/cuda/dispatch.cuh"
#include "moe/cuda/grouped/grouped.cuh"
#include "moe/cuda/route.cuh"

namespace absorb::kernels {
void activation_forward(const ActivationCall&, Bf16*, void*) {
  unavailable();
}
void activation_backward(const ActivationCall&, const ActivationGradients&, void*) {
  unavailable();
}
size_t activation_backward_bytes(const ActivationCall&) {
  unavailable();
}
void route_experts(const RouteExperts&, int32_t*, float*, void*) {
  unavailable();
}
void route_experts_backward(const RouteExperts&, const RouteExpertsBackward&, void*) {
  unavailable();
}
int64_t dispatch_workspace(int64_t, int64_t) {
  unavailable();
}
void dispatch_pairs(const int32_t*, int64_t, int64_t, const Dispatched&, int32_t*, void*) {
  unavailable();
}
void gather_rows(const TokenRows&, const Bf16*, Bf16*, void*) {
  unavailable();
}
void gather_rows_backward(const TokenRows&, const Bf16*, Bf16*, bool, void*) {
  unavailable();
}
void combine_rows(const CombineRows&, const Bf16*, Bf16*, void*) {
  unavailable();
}
void combine_rows_backward(const CombineRows&, const Bf16*, const Bf16*, Bf16*, float*, void*) {
  unavailable();
}
int64_t grouped_sums_workspace(int64_t, int64_t) {
  unavailable();
}
void grouped_sums(const Bf16*, int64_t, const int32_t*, int64_t, float*, float*, void*) {
  unavailable();
}
int64_t grouped_weight_gradient_workspace(const GroupedWeightGradient&) {
  unavailable();
}
void grouped_weight_gradient(const GroupedWeightGradient&, float*, float*, void*) {
  unavailable();
}
bool has_hopper_products() {
  return false;
}
void grouped_product(const GroupedProduct&, Bf16*, void*) {
  unavailable();
}

}  // namespace absorb::kernels
