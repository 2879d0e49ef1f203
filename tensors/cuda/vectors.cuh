// Device helpers of the row-wise kernels: for .cu files alone. Threads move four or eight neighbouring elements at
// once; groups of four match Philox's blocks of four words.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>
#include <initializer_list>

#include "core/cuda/random.cuh"
#include "tensors/cuda/types.h"

namespace absorb::kernels {

template <int n>
struct Floats {
  float at[n];
};

__device__ __forceinline__ void unpack2(uint32_t pair, float& low, float& high) {
  low = __uint_as_float(pair << 16);
  high = __uint_as_float(pair & 0xffff0000u);
}

__device__ __forceinline__ uint32_t pack2(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  uint32_t bits;
  memcpy(&bits, &pair, 4);
  return bits;
}

__device__ __forceinline__ Floats<4> unpack(uint2 v) {
  Floats<4> x;
  unpack2(v.x, x.at[0], x.at[1]);
  unpack2(v.y, x.at[2], x.at[3]);
  return x;
}

__device__ __forceinline__ Floats<8> unpack(uint4 v) {
  Floats<8> x;
  unpack2(v.x, x.at[0], x.at[1]);
  unpack2(v.y, x.at[2], x.at[3]);
  unpack2(v.z, x.at[4], x.at[5]);
  unpack2(v.w, x.at[6], x.at[7]);
  return x;
}

__device__ __forceinline__ uint2 pack(const Floats<4>& x) {
  return {pack2(x.at[0], x.at[1]), pack2(x.at[2], x.at[3])};
}

__device__ __forceinline__ uint4 pack(const Floats<8>& x) {
  return {pack2(x.at[0], x.at[1]), pack2(x.at[2], x.at[3]), pack2(x.at[4], x.at[5]), pack2(x.at[6], x.at[7])};
}

/// Four or eight bfloat16 at p + i, as stored.
__device__ __forceinline__ uint2 load4(const Bf16* p, int64_t i) {
  return *reinterpret_cast<const uint2*>(p + i);
}
__device__ __forceinline__ uint4 load8(const Bf16* p, int64_t i) {
  return *reinterpret_cast<const uint4*>(p + i);
}
__device__ __forceinline__ void store(Bf16* p, int64_t i, const Floats<4>& x) {
  *reinterpret_cast<uint2*>(p + i) = pack(x);
}
__device__ __forceinline__ void store(Bf16* p, int64_t i, const Floats<8>& x) {
  *reinterpret_cast<uint4*>(p + i) = pack(x);
}

__device__ __forceinline__ Floats<4> load4(const float* p, int64_t i) {
  const float4 v = *reinterpret_cast<const float4*>(p + i);
  return {{v.x, v.y, v.z, v.w}};
}
__device__ __forceinline__ Floats<8> load8(const float* p, int64_t i) {
  const float4 a = *reinterpret_cast<const float4*>(p + i), b = *reinterpret_cast<const float4*>(p + i + 4);
  return {{a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w}};
}
__device__ __forceinline__ void store(float* p, int64_t i, const Floats<4>& x) {
  *reinterpret_cast<float4*>(p + i) = {x.at[0], x.at[1], x.at[2], x.at[3]};
}

/// n numbers from p on: 8, or a single one where a width or a pointer allows no more.
template <int n, typename T>
__device__ __forceinline__ Floats<n> load(const T* p);
template <>
__device__ __forceinline__ Floats<8> load<8>(const Bf16* p) {
  return unpack(load8(p, 0));
}
template <>
__device__ __forceinline__ Floats<8> load<8>(const float* p) {
  return load8(p, 0);
}
template <>
__device__ __forceinline__ Floats<1> load<1>(const Bf16* p) {
  return {{__uint_as_float(static_cast<uint32_t>(p->bits) << 16)}};
}
template <>
__device__ __forceinline__ Floats<1> load<1>(const float* p) {
  return {{*p}};
}
__device__ __forceinline__ void store(Bf16* p, int64_t i, const Floats<1>& x) {
  p[i].bits = __bfloat16_as_ushort(__float2bfloat16_rn(x.at[0]));
}

/// Whether rows of `width` at these pointers can be moved 8 numbers at a time.
inline bool wide(int64_t width, std::initializer_list<const void*> pointers) {
  bool aligned = width % 8 == 0;
  for (const void* pointer : pointers) aligned = aligned && reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0;
  return aligned;
}

/// Sum over the warp, in one order, known to every lane.
__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
  return x;
}

/// Philox's keys of the ten rounds. A kernel takes them as a parameter, so that they are constants of its instructions:
/// a third of the generator's work otherwise.
struct RoundKeys {
  uint32_t word[20] = {};
  __host__ __device__ __forceinline__ explicit RoundKeys(uint64_t key) {
    for (uint32_t round = 0; round < 10; ++round) {
      word[2 * round] = static_cast<uint32_t>(key) + round * 0x9E3779B9u;
      word[2 * round + 1] = static_cast<uint32_t>(key >> 32) + round * 0xBB67AE85u;
    }
  }
};

/// As philox::block.
__device__ __forceinline__ philox::Block philox_block(const RoundKeys& keys, uint64_t step, uint64_t index) {
  uint32_t c0 = static_cast<uint32_t>(index), c1 = static_cast<uint32_t>(index >> 32);
  uint32_t c2 = static_cast<uint32_t>(step), c3 = static_cast<uint32_t>(step >> 32);
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = static_cast<uint64_t>(0xD2511F53u) * c0;
    const uint64_t p1 = static_cast<uint64_t>(0xCD9E8D57u) * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ keys.word[2 * round];
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ keys.word[2 * round + 1];
    c3 = static_cast<uint32_t>(p0);
  }
  return {{c0, c1, c2, c3}};
}

/// A Dropout whose step has been read. The references are to kernels' parameters: constants, not registers.
struct Mask {
  const Dropout& dropout;
  const RoundKeys& keys;
  uint64_t step;
  __device__ __forceinline__ Mask(const Dropout& d, const RoundKeys& keys)
      : dropout(d), keys(keys), step(d.step ? static_cast<uint64_t>(*d.step) : 0) {}
  /// Multipliers of elements i .. i + 3; i is a multiple of 4.
  __device__ __forceinline__ Floats<4> four(int64_t i) const {
    const philox::Block words = philox_block(keys, step, static_cast<uint64_t>(i) / 4);
    Floats<4> x;
#pragma unroll
    for (int k = 0; k < 4; ++k) x.at[k] = philox::to_dropout(words.word[k], dropout.threshold, dropout.scale);
    return x;
  }
  __device__ __forceinline__ Floats<8> eight(int64_t i) const {
    const Floats<4> a = four(i), b = four(i + 4);
    return {{a.at[0], a.at[1], a.at[2], a.at[3], b.at[0], b.at[1], b.at[2], b.at[3]}};
  }
};

}  // namespace absorb::kernels
