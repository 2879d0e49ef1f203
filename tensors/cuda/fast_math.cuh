// 2^x and 1/x in one instruction each, to about two ulp; denormal results become 0. Empty for a
// host compiler.
#pragma once

#ifdef __CUDACC__

namespace absorb::kernels {

constexpr float log2_e = 1.4426950408889634f, ln_2 = 0.6931471805599453f;

__device__ __forceinline__ float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ float reciprocal_fast(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace absorb::kernels

#endif
