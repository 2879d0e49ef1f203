// How a norm's kernels share out rows: a group of 32 to 256 threads owns a row and keeps it in registers, each thread
// up to four vectors of four elements, so that mean and variance take two exact passes for one read. For .cu files
// alone.
#pragma once

#include <stdexcept>

#include "tensors/cuda/vectors.cuh"
#include "transformer/cuda/norm.cuh"

namespace absorb::kernels::norm {

constexpr int threads = 256;

/// Sum over a group of threads. Groups of more than a warp meet in shared memory, in turns of two buffers.
template <int group>
struct GroupSum {
  float (*shared)[threads / 32];  // [2][warps]
  int turn = 0;
  __device__ __forceinline__ float operator()(float x) {
    x = warp_sum(x);
    if constexpr (group > 32) {
      const int warp = static_cast<int>(threadIdx.x) / 32;
      if (threadIdx.x % 32 == 0) shared[turn][warp] = x;
      __syncthreads();
      const int first = warp / (group / 32) * (group / 32);
      x = 0;
#pragma unroll
      for (int w = 0; w < group / 32; ++w) x += shared[turn][first + w];
      turn ^= 1;
    }
    return x;
  }
};

template <int group, int chunks>
struct Row {
  Floats<4> at[chunks];
};

template <int group>
__device__ __forceinline__ int column_of(int chunk) {
  return (chunk * group + static_cast<int>(threadIdx.x) % group) * 4;
}

/// Calls f<group, chunks>() with the smallest row that fits.
template <class F>
void with_row(int64_t width, F f) {
  if (width % 8 != 0 || width < 8 || width > norm_widest)
    throw std::runtime_error("norm: widths are multiples of 8 up to 4096");
  const int64_t vectors = width / 4;
  if (vectors <= 32) return f.template operator()<32, 1>();
  if (vectors <= 64) return f.template operator()<32, 2>();
  if (vectors <= 96) return f.template operator()<32, 3>();
  if (vectors <= 128) return f.template operator()<64, 2>();
  if (vectors <= 192) return f.template operator()<64, 3>();
  if (vectors <= 256) return f.template operator()<128, 2>();
  if (vectors <= 384) return f.template operator()<128, 3>();
  if (vectors <= 512) return f.template operator()<256, 2>();
  if (vectors <= 768) return f.template operator()<256, 3>();
  return f.template operator()<256, 4>();
}

}  // namespace absorb::kernels::norm
