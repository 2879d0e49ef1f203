// Stands in for transformer/cuda/ in a build without a CUDA compiler.
#include "core/device.h"
#include "core/error.h"
#include "transformer/cuda/embedding.cuh"
#include "transformer/cuda/fused_head.cuh"
#include "transformer/cuda/head.cuh"
#include "transformer/cuda/norm.cuh"

namespace absorb::kernels {
namespace {

[[noreturn]] void no_kernels() {
  user_error("{}: install one and build again, or use --device cpu", why_no_cuda());
}

}  // namespace

void norm_forward(const NormForward&, void*) {
  no_kernels();
}
void norm_backward(const NormBackward&, void*) {
  no_kernels();
}
size_t norm_backward_bytes(int64_t, int64_t) {
  no_kernels();
}
void head_loss(const HeadLoss&, void*) {
  no_kernels();
}
bool has_fused_head(int64_t, int64_t) {
  return false;
}
size_t fused_head_bytes(int64_t, int64_t) {
  no_kernels();
}
void head_forward(const FusedHead&, void*) {
  no_kernels();
}
void head_input_gradient(const FusedHead&, void*) {
  no_kernels();
}
void head_weight_gradient(const FusedHead&, void*) {
  no_kernels();
}
void scale_rows(const Bf16*, const float*, Bf16*, int64_t, int64_t, void*) {
  no_kernels();
}
void embedding_forward(const EmbeddingForward&, void*) {
  no_kernels();
}
void sort_tokens(const int64_t*, int64_t, int64_t, void*, void*) {
  no_kernels();
}
size_t sort_tokens_bytes(int64_t) {
  no_kernels();
}
void embedding_backward(const EmbeddingBackward&, void*) {
  no_kernels();
}
size_t embedding_backward_bytes(int64_t, int64_t) {
  no_kernels();
}

}  // namespace absorb::kernels
