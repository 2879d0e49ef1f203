// The order that an exact selection works in, as plain functions that tests check on the host: floats as integers of
// the same order, the next pivot of a search, and which of several ties is the last one kept.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/cuda/random.cuh"  // ABSORB_HOST_DEVICE

namespace absorb::kernels::order {

constexpr uint32_t key_of_minus_infinity = 0x007fffffu, key_of_infinity = 0xff800000u;

/// Integers that compare as the floats do. -0 becomes 0, since they tie; x isn't NaN.
ABSORB_HOST_DEVICE uint32_t key_of(float x) {
  uint32_t bits;
  x += 0.0f;
  memcpy(&bits, &x, 4);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

ABSORB_HOST_DEVICE float from_key(uint32_t key) {
  const uint32_t bits = key & 0x80000000u ? key & 0x7fffffffu : ~key;
  float x;
  memcpy(&x, &bits, 4);
  return x;
}

/// The next larger float that isn't NaN and doesn't equal x.
ABSORB_HOST_DEVICE float above(float x) {
  return from_key(key_of(x) + 1);
}

/// A search for the k-th largest of some numbers by counting how many are >= a pivot: at least k are >= low, where that
/// was counted, and fewer than k are >= high. Only counted ends can be interpolated.
struct Search {
  float low = -INFINITY, high = INFINITY;
  int low_count = 0, high_count = 0;  // how many are >= low, and >= high
  float spacing = 0;                  // roughly, between neighbours near the k-th
  bool low_counted = false, high_counted = false;

  ABSORB_HOST_DEVICE bool between(float pivot) const { return pivot > low && pivot < high; }

  /// Takes what was counted at a pivot; false where that is what an end has already: nothing lies between, so that
  /// interpolation gets nowhere.
  ABSORB_HOST_DEVICE bool counted(float pivot, int count, int k) {
    const bool progress = !(low_counted && count == low_count) && !(high_counted && count == high_count);
    if (count >= k) {
      low = pivot;
      low_count = count;
      low_counted = true;
    } else {
      high = pivot;
      high_count = count;
      high_counted = true;
    }
    return progress;
  }

  /// Where only one end was counted, as far from it as `spacing` says (twice as far the next time); where both were, on
  /// the straight line between the counts. It may lie outside, or be NaN.
  ABSORB_HOST_DEVICE float next_pivot(int k) {
    if (low_counted && high_counted) {
      const float above_k = static_cast<float>(low_count - k) + 0.5f, all = static_cast<float>(low_count - high_count);
#ifdef __CUDA_ARCH__
      return fmaf(high - low, __fdividef(above_k, all), low);
#else
      return fmaf(high - low, above_k / all, low);
#endif
    }
    const int away = low_counted ? low_count - k + 1 : high_count - k;
    const float pivot = fmaf(static_cast<float>(away), spacing, low_counted ? low : high);
    spacing *= 2;
    return pivot;
  }
};

/// Position of the set bit number `n` (from 0, lowest first) of `bits`, which has more than n.
ABSORB_HOST_DEVICE int nth_set_bit(uint32_t bits, int n) {
  for (int i = 0; i < n; ++i) bits &= bits - 1;
#ifdef __CUDA_ARCH__
  return __ffs(static_cast<int>(bits)) - 1;
#else
  return __builtin_ctz(bits);
#endif
}

}  // namespace absorb::kernels::order
