// The k-th largest number of a row by a warp, and which of those that equal it is the last one kept. The row's numbers
// lie in the lanes' registers, number 32 i + lane in x[i], without NaN, and -inf from the end of the row up to a
// multiple of 128. Sums that only steer the search need no fixed order; the result is the exact one whatever the pivots
// are. For .cu files alone.
#pragma once

#include <cmath>
#include <cstdint>

#include "router/cuda/order.cuh"

namespace absorb::kernels::select {

constexpr int patience = 10;  // pivots before integers are halved
constexpr unsigned everyone = 0xffffffffu;

// From here on the numbers of a row lie in the lanes' registers, choice 32 i + lane in x[i]; loops stop at a multiple
// of 4.

// 1 where x >= y, else 0: in a float, since then half of the work is the fused multiply-adders'.
__device__ __forceinline__ float at_least(float x, float y) {
  float one;
  asm("set.ge.f32.f32 %0, %1, %2;" : "=f"(one) : "f"(x), "f"(y));
  return one;
}

template <int Vectors>
__device__ __forceinline__ int count_from(const float (&x)[Vectors], int vectors, float pivot) {
  float count[2] = {};
#pragma unroll
  for (int i = 0; i < Vectors; i += 4) {
    if (i >= vectors) break;
#pragma unroll
    for (int j = 0; j < 4; ++j) count[j % 2] += at_least(x[i + j], pivot);
  }
  return __reduce_add_sync(everyone, static_cast<int>(count[0] + count[1]));
}

// The smallest of those >= pivot, or the largest of those below it.
template <bool Above, int Vectors>
__device__ __forceinline__ float next_to(const float (&x)[Vectors], int vectors, float pivot) {
  float best = Above ? INFINITY : -INFINITY;
#pragma unroll
  for (int i = 0; i < Vectors; i += 4) {
    if (i >= vectors) break;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (Above && x[i + j] >= pivot) best = fminf(best, x[i + j]);
      if (!Above && x[i + j] < pivot) best = fmaxf(best, x[i + j]);
    }
  }
  const uint32_t key = order::key_of(best);
  return order::from_key(Above ? __reduce_min_sync(everyone, key) : __reduce_max_sync(everyone, key));
}

// Of normally distributed numbers: the k-th largest of n is `quantile` deviations above the mean, and there neighbours
// are `spacing` deviations apart. Abramowitz and Stegun's 26.2.23.
struct Normal {
  float quantile, spacing;
};

__device__ __forceinline__ Normal normal_of(int n, int k) {
  const float share = (static_cast<float>(k) - 0.5f) / static_cast<float>(n);
  const float t = sqrtf(-2.0f * __logf(fminf(share, 1.0f - share)));
  const float z =
      t - (2.515517f + t * (0.802853f + t * 0.010328f)) / (1.0f + t * (1.432788f + t * (0.189269f + t * 0.001308f)));
  return {share < 0.5f ? z : -z, 1.0f / (0.3989423f * __expf(-0.5f * z * z) * static_cast<float>(n))};
}

// Mean and deviation of a sample, every eighth of the row's registers: where the search begins, no more.
struct Sample {
  float mean, deviation;
};

template <int Vectors>
__device__ __forceinline__ Sample sample_of(const float (&x)[Vectors], int vectors) {
  float sum = 0, squares = 0;
  int count = 0;
#pragma unroll
  for (int i = 0; i < Vectors; i += Vectors / 8)
    if (i < vectors && fabsf(x[i]) < INFINITY) {
      sum += x[i];
      squares = fmaf(x[i], x[i], squares);
      ++count;
    }
#pragma unroll
  for (int lane = 16; lane > 0; lane /= 2) {
    sum += __shfl_xor_sync(everyone, sum, lane);
    squares += __shfl_xor_sync(everyone, squares, lane);
  }
  const float share = __fdividef(1.0f, static_cast<float>(__reduce_add_sync(everyone, count)));
  const float mean = sum * share;
  return {mean, sqrtf(fmaxf(fmaf(squares, share, -mean * mean), 0.0f))};
}

struct Found {
  float threshold;
  int needed;  // of those equal to the threshold, lowest index first
};

// The same when all else fails: halves the integers that floats are.
template <int Vectors>
__device__ __forceinline__ Found bisect(const float (&x)[Vectors], int vectors, const order::Search& s, int k) {
  uint32_t low = s.low_counted ? order::key_of(s.low) : order::key_of_minus_infinity;
  uint32_t high = s.high_counted ? order::key_of(s.high) : order::key_of_infinity + 1;
  int high_count = s.high_counted ? s.high_count : 0;
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    const int count = count_from(x, vectors, order::from_key(middle));
    if (count >= k) {
      low = middle;
    } else {
      high = middle;
      high_count = count;
    }
  }
  return {order::from_key(low), k - high_count};
}

// The k-th largest of k numbers or more.
template <int Vectors>
__device__ __forceinline__ Found find(const float (&x)[Vectors], int vectors, int k, Normal normal) {
  constexpr int all = 1 << 30;
  const Sample sample = sample_of(x, vectors);
  order::Search s;
  s.spacing = sample.deviation * normal.spacing;
  float pivot = fmaf(sample.deviation, normal.quantile, sample.mean);
  for (int taken = 0; taken < patience && s.between(pivot); ++taken) {
    const int count = count_from(x, vectors, pivot);
    if (count == k) return {next_to<true>(x, vectors, pivot), all};
    if (count == k - 1) return {next_to<false>(x, vectors, pivot), 1};
    const bool progress = s.counted(pivot, count, k);
    if (!progress && s.low_counted) {  // ties, likely: is the least of those from low on the one?
      const float least = next_to<true>(x, vectors, s.low), next = order::above(least);
      const int more = count_from(x, vectors, next);
      if (more < k) return {least, k - more};
      s.counted(next, more, k);
    }
    pivot = s.next_pivot(k);
  }
  return bisect(x, vectors, s, k);
}

// The last of the `needed` first ones that equal the threshold. Hidden choices may equal it too, but stand behind.
template <int Vectors>
__device__ __forceinline__ int last_of(const float (&x)[Vectors], int vectors, Found found) {
  int last = -1;
#pragma unroll
  for (int i = 0; i < Vectors; i += 4) {
    if (i >= vectors) break;
    bool tie[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) tie[j] = x[i + j] == found.threshold;
    if (!__any_sync(everyone, tie[0] || tie[1] || tie[2] || tie[3])) continue;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const uint32_t ties = __ballot_sync(everyone, tie[j]);
      const int count = __popc(ties);
      if (count >= found.needed) return 32 * (i + j) + order::nth_set_bit(ties, found.needed - 1);
      found.needed -= count;
      if (count > 0) last = 32 * (i + j) + 31 - __clz(static_cast<int>(ties));
    }
  }
  return last;
}

}  // namespace absorb::kernels::select
