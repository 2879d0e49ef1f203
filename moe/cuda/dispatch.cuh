// Tokens to their experts and back: a stable counting sort of (token, slot) pairs by expert that never leaves the GPU,
// and the row movements around grouped products. All sums have a fixed order, none is atomic. Launchers of plain
// pointers; definitions: dispatch() and kept_experts of moe/.
//
// Letters: N tokens, K kept experts of each, P = N K pairs (pair = token * K + slot), E experts, D width. "Sorted" rows
// [P,D] are in the order of their experts. Rows of bf16 are contiguous; where D is a multiple of 8 and all pointers are
// of 16 bytes, they move 16 bytes at a time.
#pragma once

#include <cstdint>

#include "tensors/cuda/types.h"

namespace absorb::kernels {

constexpr int64_t most_dispatched_experts = 1024;

/// Device arrays of a Dispatch (moe/dispatch.h).
struct Dispatched {
  int32_t* order = nullptr;    // [P] the pair at each sorted place
  int32_t* inverse = nullptr;  // [P] the sorted place of each pair
  int32_t* ends = nullptr;     // [E] one past each expert's last sorted place
};

/// int32 numbers of workspace that dispatch_pairs needs.
int64_t dispatch_workspace(int64_t pairs, int64_t experts);
/// kept [P] expert ids, E <= 1024. Two launches. `workspace` may be anything and is left as anything.
void dispatch_pairs(const int32_t* kept, int64_t pairs, int64_t experts, const Dispatched& out, int32_t* workspace,
                    void* stream);

struct TokenRows {
  int64_t tokens = 0, kept = 0, width = 0;  // N, K, D
  const int32_t* order = nullptr;           // [P]
  const int32_t* inverse = nullptr;         // [P]
};

/// sorted[p] = x[order[p] / K].
void gather_rows(const TokenRows& rows, const Bf16* x, Bf16* sorted, void* stream);
/// Its derivative: dx[n] = sum over k of dsorted[inverse[n K + k]], summed in fp32 in the order of k, after dx[n]
/// itself if `accumulate`.
void gather_rows_backward(const TokenRows& rows, const Bf16* dsorted, Bf16* dx, bool accumulate, void* stream);

struct CombineRows {
  TokenRows rows;
  const float* weights = nullptr;   // [N,K]
  const int32_t* kept = nullptr;    // [N,K] expert ids; read only where there is a bias
  const float* out_bias = nullptr;  // [E,D] or null
};
/// y[n] = sum over k of weights[n,k] (sorted[inverse[n K + k]] + out_bias[kept[n,k]]), in fp32 in the order of k.
void combine_rows(const CombineRows& combine, const Bf16* sorted, Bf16* y, void* stream);
/// dsorted[inverse[n K + k]] = weights[n,k] dy[n] and dweights[n,k] = dy[n] . (sorted[..] + out_bias[..]). dsorted may
/// be the memory of `sorted`. The derivative by out_bias is grouped_sums of dsorted.
void combine_rows_backward(const CombineRows& combine, const Bf16* dy, const Bf16* sorted, Bf16* dsorted,
                           float* dweights, void* stream);

/// fp32 numbers of workspace that grouped_sums needs.
int64_t grouped_sums_workspace(int64_t experts, int64_t width);
/// sums[e] += the sum of sorted rows [ends[e-1], ends[e]), for every expert; sums [E,D] fp32: gradients of biases.
void grouped_sums(const Bf16* sorted, int64_t width, const int32_t* ends, int64_t experts, float* sums,
                  float* workspace, void* stream);

}  // namespace absorb::kernels
