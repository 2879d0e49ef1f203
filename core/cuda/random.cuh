// The arithmetic of the one random system, for the CPU and the GPU alike: integer operations, and for the normal
// distribution only fused multiply-adds, so that both give the same bits.
// Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define ABSORB_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define ABSORB_HOST_DEVICE inline __attribute__((always_inline))
#endif

namespace absorb::philox {

struct Block {
  uint32_t word[4];
};

/// The four 32-bit words of (key, step, index).
ABSORB_HOST_DEVICE Block block(uint64_t key, uint64_t step, uint64_t index) {
  uint32_t c0 = static_cast<uint32_t>(index), c1 = static_cast<uint32_t>(index >> 32);
  uint32_t c2 = static_cast<uint32_t>(step), c3 = static_cast<uint32_t>(step >> 32);
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = static_cast<uint64_t>(0xD2511F53u) * c0;
    const uint64_t p1 = static_cast<uint64_t>(0xCD9E8D57u) * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// Uniform in [0, 1): the upper 24 bits.
ABSORB_HOST_DEVICE float to_uniform(uint32_t bits) {
  return static_cast<float>(bits >> 8) * 0x1p-24f;
}

/// Natural logarithm of a positive normal float, by fused multiply-adds alone (Cephes logf's polynomial).
ABSORB_HOST_DEVICE float log_fma(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  const uint32_t shifted = bits - 0x3f3504f3u;  // so that the mantissa lies in [sqrt(1/2), sqrt(2))
  const float exponent = static_cast<float>(static_cast<int32_t>(shifted) >> 23);
  bits = (shifted & 0x007fffffu) + 0x3f3504f3u;
  float m;
  memcpy(&m, &bits, 4);
  m -= 1.0f;
  float p = 7.0376836292e-2f;
  p = fmaf(p, m, -1.1514610310e-1f);
  p = fmaf(p, m, 1.1676998740e-1f);
  p = fmaf(p, m, -1.2420140846e-1f);
  p = fmaf(p, m, 1.4249322787e-1f);
  p = fmaf(p, m, -1.6668057665e-1f);
  p = fmaf(p, m, 2.0000714765e-1f);
  p = fmaf(p, m, -2.4999993993e-1f);
  p = fmaf(p, m, 3.3333331174e-1f);
  const float square = fmaf(m, m, 0.0f);
  const float cube = fmaf(square, m, 0.0f);
  float y = fmaf(cube, p, 0.0f);
  y = fmaf(exponent, -2.12194440e-4f, y);
  y = fmaf(square, -0.5f, y);
  return fmaf(exponent, 0.693359375f, m + y);
}

/// Standard normal by the inverse distribution function: Giles, "Approximating the erfinv function", 2010.
ABSORB_HOST_DEVICE float to_gauss(uint32_t bits) {
  const float u = fmaf(static_cast<float>(bits >> 9), 0x1p-23f, 0x1p-24f);  // in (0, 1), symmetric about 1/2
  const float x = fmaf(2.0f, u, -1.0f);
  float w = -log_fma(fmaf(-x, x, 1.0f));
  float p;
  if (w < 5.0f) {
    w -= 2.5f;
    p = 2.81022636e-08f;
    p = fmaf(p, w, 3.43273939e-07f);
    p = fmaf(p, w, -3.5233877e-06f);
    p = fmaf(p, w, -4.39150654e-06f);
    p = fmaf(p, w, 0.00021858087f);
    p = fmaf(p, w, -0.00125372503f);
    p = fmaf(p, w, -0.00417768164f);
    p = fmaf(p, w, 0.246640727f);
    p = fmaf(p, w, 1.50140941f);
  } else {
    w = sqrtf(w) - 3.0f;
    p = -0.000200214257f;
    p = fmaf(p, w, 0.000100950558f);
    p = fmaf(p, w, 0.00134934322f);
    p = fmaf(p, w, -0.00367342844f);
    p = fmaf(p, w, 0.00573950773f);
    p = fmaf(p, w, -0.0076224613f);
    p = fmaf(p, w, 0.00943887047f);
    p = fmaf(p, w, 1.00167406f);
    p = fmaf(p, w, 2.83297682f);
  }
  return fmaf(p, x, 0.0f) * 1.41421356237f;
}

/// Below this threshold of 32 random bits an element is dropped.
ABSORB_HOST_DEVICE float to_dropout(uint32_t bits, uint32_t threshold, float scale) {
  return bits < threshold ? 0.0f : scale;
}

enum class Kind { uniform, gauss, dropout };

/// Fills out[0, n) on the GPU. `step` is a device pointer, or null for step 0. Throws std::runtime_error without CUDA.
void fill_cuda(Kind kind, float* out, int64_t n, uint64_t key, const int64_t* step, uint32_t threshold, float scale,
               void* stream);

}  // namespace absorb::philox
