// Where sort_tokens leaves what it sorted. For .cu files alone.
#pragma once

#include <cstdint>

namespace absorb::kernels {

struct SortedTokens {
  const uint32_t* keys;  // [N] token ids, ascending
  const int32_t* rows;   // [N] where each was; ascending among equal ids
};

SortedTokens sorted_tokens(const void* sorted, int64_t rows, int64_t vocabulary);

}  // namespace absorb::kernels
