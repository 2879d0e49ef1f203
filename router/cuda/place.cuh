// Where a block of four warps works among the tiles of [B,T,H,n], and how its rows get back to memory. What says
// ABSORB_HOST_DEVICE compiles on the host as well; the rest is for .cu files alone.
#pragma once

#include "router/cuda/tile.cuh"
#include "router/cuda/view.h"

namespace absorb::kernels::tile {

constexpr int threads = 128;

/// Rows of a tile of `rows` rows that exist.
ABSORB_HOST_DEVICE constexpr int rows_left(int items, int first, int rows) {
  return items - first < rows ? items - first : rows;
}
ABSORB_HOST_DEVICE constexpr int tiles_of(int items, int rows) {
  return (items + rows - 1) / rows;
}

#ifdef __CUDACC__

/// The tile, sequence and head of this block.
struct Place {
  int batch, head, tile;
  int64_t pair;  // b * H + h
};

/// The tiles of a head go side by side, for the second-level cache; those with most work go first.
template <int Rows, typename Shape>
__device__ __forceinline__ Place place_of(const Shape& shape, bool longest_last) {
  const int tiles = tiles_of(shape.items, Rows);
  const int pair = static_cast<int>(blockIdx.x) / tiles, tile = static_cast<int>(blockIdx.x) % tiles;
  return {pair / shape.heads, pair % shape.heads, longest_last ? tiles - 1 - tile : tile, pair};
}

template <int Rows, typename Shape>
unsigned blocks_of(const Shape& shape) {
  return static_cast<unsigned>(shape.batch * shape.heads * tiles_of(shape.items, Rows));
}

__device__ __forceinline__ const Bf16* rows_of(const View& view, const Place& place, int item) {
  return view.data + place.batch * view.batch + item * view.item + place.head * view.head;
}
__device__ __forceinline__ Bf16* rows_of(const MutableView& view, const Place& place, int item) {
  return view.data + place.batch * view.batch + item * view.item + place.head * view.head;
}

template <int Blocks>
__device__ __forceinline__ void clear(float (&x)[Blocks][4]) {
#pragma unroll
  for (int n = 0; n < Blocks; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) x[n][i] = 0;
}

/// The sums of two pairs of bf16.
__device__ __forceinline__ uint32_t add_pairs(uint32_t a, uint32_t b) {
  return tile::packed(__uint_as_float(a << 16) + __uint_as_float(b << 16),
                      __uint_as_float(a & 0xffff0000u) + __uint_as_float(b & 0xffff0000u));
}
__device__ __forceinline__ uint4 add_pairs(uint4 a, uint4 b) {
  return {add_pairs(a.x, b.x), add_pairs(a.y, b.y), add_pairs(a.z, b.z), add_pairs(a.w, b.w)};
}

/// Writes a warp's 16 rows, x times a factor a row, through its own 16 rows of a tile (at `tile`) so that whole lines
/// are stored, or (Add) added to what is there. Rows from `valid` and columns from `width` on are not.
template <int Width, bool Add = false>
__device__ __forceinline__ void store_rows(const float (&x)[Width / 8][4], float factor0, float factor1,
                                           unsigned char* tile_rows16, Bf16* out, int64_t stride, int valid, int width,
                                           int lane) {
  constexpr int chunks = Width / 8, passes = 16 * chunks / 32;
  uint4 before[Add ? passes : 1];  // asked for now: they arrive meanwhile
#pragma unroll
  for (int i = 0; Add && i < passes; ++i) {
    const int row = (i * 32 + lane) / chunks, chunk = (i * 32 + lane) % chunks;
    if (row < valid && chunk * 8 < width) before[i] = *reinterpret_cast<const uint4*>(out + row * stride + chunk * 8);
  }
  __syncwarp();
#pragma unroll
  for (int n = 0; n < Width / 8; ++n)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float factor = half ? factor1 : factor0;
      *reinterpret_cast<uint32_t*>(tile_rows16 + tile::offset<Width>(lane / 4 + half * 8, n) + lane % 4 * 4) =
          tile::packed(x[n][2 * half] * factor, x[n][2 * half + 1] * factor);
    }
  __syncwarp();
#pragma unroll
  for (int i = 0; i < passes; ++i) {
    const int row = (i * 32 + lane) / chunks, chunk = (i * 32 + lane) % chunks;
    if (row >= valid || chunk * 8 >= width) continue;
    uint4 eight = *reinterpret_cast<const uint4*>(tile_rows16 + tile::offset<Width>(row, chunk));
    if constexpr (Add) eight = add_pairs(before[i], eight);
    *reinterpret_cast<uint4*>(out + row * stride + chunk * 8) = eight;
  }
  __syncwarp();
}

#endif

}  // namespace absorb::kernels::tile
