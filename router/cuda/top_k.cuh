// The exact top k of every item's causal choices from factored scores, as a threshold and the last kept index among
// those that equal it; nothing of size T x T is written. Scores are those of score.cuh, bit for bit, so that a kernel
// that compares its own scores with the threshold keeps exactly k. A launcher of plain pointers; the definition is
// top_k() of router/routing.h.
#pragma once

#include <cstdint>

#include "router/cuda/view.h"

namespace absorb::kernels {

struct TopKeys {
  int64_t batch = 0, items = 0, heads = 0, rank = 0;  // B and H < 65536, T, r <= 64, a multiple of 8
  View of_items, of_choices;                          // [B,T,H,r]
  float factor = 1;
  const float *scale = nullptr, *shift = nullptr;  // [H] or null
  int64_t k = 1;
  bool self = false;  // the own position counts as +inf
};

/// Most items T that the current device's shared memory lets top_keys take: 2048 on an H100, 1024 on smaller cards.
int64_t most_top_keys_items(int64_t rank);
/// threshold fp32 [B,H,T], last int32 [B,H,T]: item t keeps choice c <= t where its score is above the threshold, or
/// equals it and c <= last. Items that see fewer than k: -inf and k - 1. NaN counts as -inf.
void top_keys(const TopKeys& top, float* threshold, int32_t* last, void* stream);

}  // namespace absorb::kernels
