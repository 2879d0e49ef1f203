// What the grouped products share: a block's sums, and one stage of a ring multiplied into them such that tensor cores
// don't wait: fragments are loaded one k step ahead, across stages too, and copies are issued between the products. For
// .cu files alone.
#pragma once

#include <cstdint>

#include "router/cuda/tile.cuh"

namespace absorb::kernels {

/// A block's tile is M x N, a warp for 64 x 64 of it; a stage holds 64 of what is summed over.
template <int M_, int N_, int Stages_, int BlocksPerSm_>
struct BlockTile {
  static constexpr int threads = M_ / 64 * (N_ / 64) * 32, depth = 64, M = M_, N = N_, stages = Stages_,
                       blocks_per_sm = BlocksPerSm_;
  static constexpr int warp_m = 64, warp_n = 64, across = N / warp_n;
  static constexpr int a_frags = warp_m / 16, b_frags = warp_n / 16;
  static constexpr int a_bytes = M * depth * 2, b_bytes = N * depth * 2, stage_bytes = a_bytes + b_bytes;
  static constexpr int bytes = stages * stage_bytes;
  static constexpr int a_copies = a_bytes / 16 / threads, b_copies = b_bytes / 16 / threads;  // of a thread
  static constexpr int copies = a_copies + b_copies;

  __device__ static int warp_row() { return static_cast<int>(threadIdx.x) / 32 / across * warp_m; }
  __device__ static int warp_column() { return static_cast<int>(threadIdx.x) / 32 % across * warp_n; }
  __device__ static int fragment_row(int i) { return warp_row() + i * 16; }
};

template <class T>
using Sums = float[T::a_frags][2 * T::b_frags][4];

template <class T>
struct Fragments {
  uint32_t a[2][T::a_frags][4], b[2][T::b_frags][4];
};

/// load(a, b, k) loads the fragments of k step k, where 4 is step 0 of the next stage; copy(i) starts copy i of the
/// stage that is filled meanwhile; turn() comes after all of them and returns when the next stage may be read. The
/// fragments of step 0 must be in buffer 0.
template <class T, class Load, class Copy, class Turn>
__device__ __forceinline__ void multiply_stage(Sums<T>& sums, Fragments<T>& f, Load load, Copy copy, Turn turn) {
  constexpr int steps = T::depth / 16, slots = (steps - 1) * T::a_frags;
#pragma unroll
  for (int k = 0; k < steps; ++k) {
    const int now = k % 2, next = 1 - now;
    if (k == steps - 1) turn();
    load(f.a[next], f.b[next], k + 1);
#pragma unroll
    for (int i = 0; i < T::a_frags; ++i) {
#pragma unroll
      for (int j = 0; j < T::b_frags; ++j) {
        tile::multiply(sums[i][2 * j], f.a[now][i], f.b[now][j][0], f.b[now][j][1]);
        tile::multiply(sums[i][2 * j + 1], f.a[now][i], f.b[now][j][2], f.b[now][j][3]);
      }
      const int slot = k * T::a_frags + i;
#pragma unroll
      for (int c = slot * T::copies / slots; k < steps - 1 && c < (slot + 1) * T::copies / slots; ++c) copy(c);
    }
  }
}

}  // namespace absorb::kernels
