// A thread's 16 bytes of bf16 (or 32 of fp32) as numbers, or a single one where a width or a pointer allows no more.
// For .cu files alone.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>
#include <initializer_list>

#include "core/cuda/types.h"

namespace absorb::kernels::vectors {

template <int vector>
struct alignas(vector == 8 ? 16 : 4) Numbers {
  float x[vector];
};

template <int vector>
__device__ __forceinline__ Numbers<vector> load(const Bf16* from) {
  Numbers<vector> out;
  if constexpr (vector == 8) {
    const uint4 words = *reinterpret_cast<const uint4*>(from);
    const uint32_t word[4] = {words.x, words.y, words.z, words.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      out.x[2 * i] = __uint_as_float(word[i] << 16);
      out.x[2 * i + 1] = __uint_as_float(word[i] & 0xffff0000u);
    }
  } else {
    out.x[0] = __uint_as_float(static_cast<uint32_t>(from->bits) << 16);
  }
  return out;
}

template <int vector>
__device__ __forceinline__ Numbers<vector> load(const float* from) {
  Numbers<vector> out;
  if constexpr (vector == 8) {
    *reinterpret_cast<float4*>(out.x) = *reinterpret_cast<const float4*>(from);
    *reinterpret_cast<float4*>(out.x + 4) = *reinterpret_cast<const float4*>(from + 4);
  } else {
    out.x[0] = *from;
  }
  return out;
}

template <int vector>
__device__ __forceinline__ void store(Bf16* to, const Numbers<vector>& from) {
  if constexpr (vector == 8) {
    uint32_t word[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const __nv_bfloat162 two = __floats2bfloat162_rn(from.x[2 * i], from.x[2 * i + 1]);
      word[i] = *reinterpret_cast<const uint32_t*>(&two);
    }
    *reinterpret_cast<uint4*>(to) = make_uint4(word[0], word[1], word[2], word[3]);
  } else {
    *reinterpret_cast<__nv_bfloat16*>(to) = __float2bfloat16(from.x[0]);
  }
}

/// Whether rows of `width` at these pointers can be moved 8 numbers at a time.
inline bool wide(int64_t width, std::initializer_list<const void*> pointers) {
  bool aligned = width % 8 == 0;
  for (const void* pointer : pointers) aligned = aligned && reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0;
  return aligned;
}

}  // namespace absorb::kernels::vectors
