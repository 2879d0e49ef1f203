// Which attention weights dropout leaves, one bit each: drawn once and read by the forward pass and both backward ones,
// since a draw (ten rounds of Philox for four elements) costs more than everything else they do to an element. The maps
// compile on the host; the launcher is for .cu files alone.
#pragma once

#include <cstdint>

#include "core/cuda/random.cuh"
#include "tensors/cuda/types.h"

namespace absorb::kernels::attend {

/// Words of a row: bit c % 32 of word c / 32 is key c.
constexpr int words_of(int items) {
  return (items + 31) / 32;
}

/// What a warp draws: a word of 32 neighbouring rows, all of which see a key of it; nothing where word > group. (Laid
/// out by word the bits would be stored in whole lines; but attention finds a row's next words in the first-level
/// cache, and would lose more by that than this won.)
struct DrawShare {
  int pair, group, word;  // rows [32 group, 32 group + 32)
};
/// Of a pair with so many groups, where group g has g + 1 words: a group and its mirror image have groups + 1 together.
ABSORB_HOST_DEVICE constexpr int draw_shares(int groups) {
  return (groups + 1) / 2 * (groups + 1);
}
ABSORB_HOST_DEVICE constexpr DrawShare draw_share(int index, int groups) {
  const int both = index / (groups + 1), place = index % (groups + 1), low = both % ((groups + 1) / 2);
  const int pair = index / draw_shares(groups), mirror = groups - 1 - low;
  if (place <= low) return {pair, low, place};
  return {pair, mirror, mirror == low ? groups : place - low - 1};  // the one in the middle is its own mirror image
}

/// bits [pairs, items, words_of(items)]: of row t the words that hold a key c <= t; element (pair, t, c) of the dropout
/// has index (pair items + t) items + c.
void draw_stay_bits(const Dropout& dropout, int64_t pairs, int items, uint32_t* bits, void* stream);

}  // namespace absorb::kernels::attend
