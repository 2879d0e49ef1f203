// Activations and their slopes from two special functions each. For .cu files alone.
#pragma once

#include "moe/cuda/activation.cuh"
#include "tensors/cuda/fast_math.cuh"

namespace absorb::kernels {

struct ValueSlope {
  float value, slope;
};

/// Phi(-|x|), the normal distribution's tail, and exp(-x^2 / 2). The tail is exp(-x^2 / 2) times a polynomial in
/// 1 / (1 + 0.31 |x|), fitted to a relative error of 5e-6 over |x| < 12: far tails keep their digits.
struct Normal {
  float tail, bell;
  __device__ __forceinline__ explicit Normal(float x) {
    constexpr float root_half_log2_e = 0.84932180028f;
    const float t = reciprocal_fast(fmaf(0.31f, fabsf(x), 1.0f)), scaled = root_half_log2_e * x;
    bell = exp2_fast(-scaled * scaled);
    float p = -0.07392038404941559f;
    p = fmaf(p, t, 0.18042206764221191f);
    p = fmaf(p, t, 0.015780027955770493f);
    p = fmaf(p, t, 0.1334085613489151f);
    p = fmaf(p, t, 0.12044738233089447f);
    p = fmaf(p, t, 0.12386003136634827f);
    tail = p * (t * bell);
  }
};

template <Activation kind>
struct Act;

template <>
struct Act<Activation::none> {
  __device__ __forceinline__ static float value(float x) { return x; }
  __device__ __forceinline__ static ValueSlope both(float x) { return {x, 1.0f}; }
};

template <>
struct Act<Activation::gelu> {
  // x Phi(x) = max(x, 0) - |x| Phi(-|x|)
  __device__ __forceinline__ static float value(float x) { return fmaf(-fabsf(x), Normal(x).tail, fmaxf(x, 0.0f)); }
  __device__ __forceinline__ static ValueSlope both(float x) {
    constexpr float inverse_root_two_pi = 0.3989422804f;
    const Normal normal(x);
    const float phi = x > 0 ? 1.0f - normal.tail : normal.tail;
    return {x * phi, fmaf(inverse_root_two_pi * x, normal.bell, phi)};
  }
};

/// x sigmoid(2 y), y = sqrt(2 / pi) (x + 0.044715 x^3).
template <>
struct Act<Activation::gelu_tanh> {
  static constexpr float two_log2_e_root = 2.3022081985f, cubic = 0.044715f;  // 2 log2(e) sqrt(2 / pi)
  __device__ __forceinline__ static float gate(float x) {
    const float y = x * fmaf(cubic * x, x, 1.0f) * two_log2_e_root;
    return reciprocal_fast(1.0f + exp2_fast(-y));
  }
  __device__ __forceinline__ static float value(float x) { return x * gate(x); }
  __device__ __forceinline__ static ValueSlope both(float x) {
    constexpr float two_root = 1.5957691216f;  // 2 sqrt(2 / pi)
    const float s = gate(x), steep = two_root * fmaf(3.0f * cubic * x, x, 1.0f);
    return {x * s, fmaf(x * s * (1.0f - s), steep, s)};
  }
};

}  // namespace absorb::kernels
