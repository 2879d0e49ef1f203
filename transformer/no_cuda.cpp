// Stands in for transformer/cuda/ in a build without a CUDA compiler.
#include "core/device.h"
#include "transformer/cuda/embedding.cuh"
#include "transformer/cuda/fused_head.cuh"
#include "transformer/cuda/head.cuh"
#include "transformer/cuda/norm.cuh"

namespace absorb::kernels {
void norm_forward(const NormForward&, void*) {
  unavailable();
}
void norm_backward(const NormBackward&, void*) {
  unavailable();
}
size_t norm_backward_bytes(int64_t, int64_t) {
  unavailable();
}
void head_loss(const HeadLoss&, void*) {
  unavailable();
}
bool has_fused_head(int64_t, int64_t) {
  return false;
}
size_t fused_head_bytes(int64_t, int64_t) {
  unavailable();
}
void head_forward(const FusedHead&, void*) {
  unavailable();
}
void head_input_gradient(const FusedHead&, void*) {
  unavailable();
}
void head_weight_gradient(const FusedHead&, void*) {
  unavailable();
}
void scale_rows(const Bf16*, const float*, Bf16*, int64_t, int64_t, void*) {
  unavailable();
}
void embedding_forward(const EmbeddingForward&, void*) {
  unavailable();
}
void sort_tokens(const int64_t*, int64_t, int64_t, void*, void*) {
  unavailable();
}
size_t sort_tokens_bytes(int64_t) {
  unavailable();
}
void embedding_backward(const EmbeddingBackward&, void*) {
  unavailable();
}
size_t embedding_backward_bytes(int64_t, int64_t) {
  unavailable();
}

}  // namespace absorb::kernels
