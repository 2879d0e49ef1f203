// Which attention weights dropout leaves, one bit each: drawn once and read by the forward pass and both backward ones,
// since a draw (ten rounds of Philox for four elements) costs more than everything else they do to an element. For .cu
// files alone.
#pragma once

#include <cstdint>

#include "core/cuda/types.h"

namespace absorb::kernels::attend {

/// Words of a row: bit c % 32 of word c / 32 is key c.
constexpr int words_of(int items) {
  return (items + 31) / 32;
}

/// bits [pairs, items, words_of(items)]: of row t the words that hold a key c <= t; element (pair, t, c) of the dropout
/// has index (pair items + t) items + c.
void draw_stay_bits(const Dropout& dropout, int64_t pairs, int items, uint32_t* bits, void* stream);

}  // namespace absorb::kernels::attend
