// Which attention weights dropout leaves, one bit each: drawn once and read by the forward pass and both backward ones,
// since a draw (ten rounds of Philox for four elements) costs more than everything else they do to an element. Words
// of neighbouring queries lie side by side: the threads of a warp draw for 32 queries that see the same keys, and those
// of a tile read them together. Index maps compile on the host; the launcher is for .cu files alone.
#pragma once

#include <cstdint>

#include "core/cuda/random.cuh"
#include "core/cuda/types.h"

namespace absorb::kernels::attend {

/// Words of a query: bit c % 32 of word c / 32 is key c.
constexpr int words_of(int items) {
  return (items + 31) / 32;
}

/// Where word `word` of query `item` lies, in what a pair (b H + h) has.
ABSORB_HOST_DEVICE constexpr int stay_index(int items, int item, int word) {
  return word * items + item;
}

/// bits [pairs, words_of(items), items]: of query t the words that hold a key c <= t; element (pair, t, c) of the
/// dropout has index (pair items + t) items + c.
void draw_stay_bits(const Dropout& dropout, int64_t pairs, int items, uint32_t* bits, void* stream);

}  // namespace absorb::kernels::attend
