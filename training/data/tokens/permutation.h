// A permutation that is a function: where each number goes is computed, never stored, so that a run that goes on needs
// no state and 10^9 chunks cost no memory.
#pragma once

#include <cstdint>

namespace absorb {

/// Where `index` in [0, size) goes in permutation number `which` of `key`: ten rounds of a Feistel network over the
/// least even number of bits that holds size - 1, walked on until the number lies below size again (Black and Rogaway,
/// CT-RSA 2002). A bijection of [0, size). InternalError outside.
int64_t permuted(int64_t index, int64_t size, uint64_t key, uint64_t which);

}  // namespace absorb
