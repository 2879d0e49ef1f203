// Grouped products of experts: rows sorted by expert, one matrix each, everything decided on the GPU from `ends`, so
// that nothing synchronises and a captured graph serves every routing. Weight gradients are fp32 and added to fp32, as
// a dense layer's are: LibTorch's grouped product rounds them to bf16. Launchers of plain pointers.
#pragma once

#include <cstdint>

#include "tensors/cuda/types.h"

namespace absorb::kernels {

constexpr int64_t most_grouped_experts = 256;

struct GroupedWeightGradient {
  int64_t rows = 0, experts = 0;  // P < 2^31, E <= 256
  int64_t left = 0, right = 0;    // F, D: multiples of 8
  const int32_t* ends = nullptr;  // [E] one past each expert's last row
  const Bf16* a = nullptr;        // [P,F], of 16 bytes
  const Bf16* b = nullptr;        // [P,D], of 16 bytes
};
/// fp32 numbers of workspace, which begins at 16 bytes and may hold anything.
int64_t grouped_weight_gradient_workspace(const GroupedWeightGradient& gradient);
/// dw [E*F,D] fp32: dw[e] += sum over rows p of expert e of a[p]^T b[p], summed in fp32 in an order that `ends` and the
/// card's kind fix. An expert without rows gets nothing added.
void grouped_weight_gradient(const GroupedWeightGradient& gradient, float* dw, float* workspace, void* stream);

/// Whether the current device has Hopper's matrix instructions, which LibTorch's grouped product uses and these kernels
/// do not.
bool has_hopper_products();

/// How an expert's matrix lies: of [out, in] rows (y = a w^T) or of [in, out] rows (y = a w).
enum class ExpertMatrix { out_in, in_out };

struct GroupedProduct {
  int64_t rows = 0, experts = 0;  // P, E <= 256
  int64_t in = 0, out = 0;        // widths, multiples of 8
  const int32_t* ends = nullptr;  // [E]
  const Bf16* a = nullptr;        // [P,in], of 16 bytes
  const Bf16* w = nullptr;        // [E*out,in] or [E*in,out]; of 16 bytes
  ExpertMatrix matrix = ExpertMatrix::out_in;
};
/// y [P,out] bf16: y[p] = a[p] times the matrix of p's expert, summed in fp32 over `in` in ascending order.
void grouped_product(const GroupedProduct& product, Bf16* y, void* stream);

}  // namespace absorb::kernels
