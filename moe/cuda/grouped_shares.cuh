// How grouped weight gradients are dealt out and put together, whatever multiplies: blocks take a share of schedule.cuh
// each, write whole tiles to dw and parts of tiles to the workspace, which a second launch adds in the order of the
// shares. A tile T has M, N, depth (rows of a step), shares, threads and fragments of 16 x 8 sums as mma.m16n8 has
// them: fragment_row(i) for i < a_frags, warp_column() + 8 j for j < 2 b_frags. For .cu files alone.
#pragma once

#include <cuda_runtime.h>

#include "core/cuda/launch.cuh"
#include "moe/cuda/first_steps.cuh"
#include "moe/cuda/grouped.cuh"
#include "moe/cuda/schedule.cuh"
#include "router/cuda/tile.cuh"

namespace absorb::kernels::grouped {

using schedule::Piece;

struct Problem {
  GroupedWeightGradient g;
  int tiles_m, tiles_n;

  __host__ __device__ int tiles() const { return tiles_m * tiles_n; }
};

// first [E+1], by all threads of the block.
template <class T>
__device__ void first_steps(const Problem& p, int* first) {
  first_of_experts(p.g.ends, static_cast<int>(p.g.experts), first,
                   [&](int rows) { return schedule::steps_of(rows, T::depth) * p.tiles(); });
}

// The rows of a piece's steps, which begin at its rotation.
template <class T>
struct PieceRows {
  int begin, end, count;  // the expert's rows, steps
  int start, stop;        // where steps start, and before which they go on at the piece's begin

  __device__ __forceinline__ PieceRows(const Problem& p, const Piece& piece, int share_length)
      : begin(piece.expert ? p.g.ends[piece.expert - 1] : 0),
        end(p.g.ends[piece.expert]),
        count(piece.end - piece.begin),
        start(schedule::rotation(piece, share_length)),
        stop(piece.end) {}
  // The first row of the i-th step; past all rows where there is none.
  __device__ __forceinline__ int row_of(int i) const {
    if (i >= count) return end;
    return begin + (start + i < stop ? start + i : start + i - count) * T::depth;
  }
};

// work(piece, share's length) for every piece of a share. The tile that begins here and ends elsewhere comes first: its
// rows are those that others begin with.
template <class T, class Work>
__device__ __forceinline__ void for_pieces(const Problem& p, const int* first, int share, Work work) {
  const int total = first[p.g.experts], length = (total + T::shares - 1) / T::shares;
  const int begin = schedule::share_begin(total, share, T::shares);
  const int end = schedule::share_begin(total, share + 1, T::shares);
  int tail = end;
  if (begin < end) {
    const Piece last = schedule::piece_at(first, p.tiles(), end - 1, end);
    if (last.end < last.steps && end - last.end >= begin) tail = end - last.end;
  }
  if (tail < end) work(schedule::piece_at(first, p.tiles(), tail, end), length);
  for (int at = begin; at < tail;) {
    const Piece piece = schedule::piece_at(first, p.tiles(), at, tail);
    work(piece, length);
    at += piece.end - piece.begin;
  }
}

// Where a share leaves fragment 0 of a piece that isn't a whole tile, in float4s of a thread.
template <class T>
__device__ __forceinline__ int64_t place_of(int share, bool tile_begins_here) {
  return static_cast<int64_t>(schedule::partial_place(share, tile_begins_here)) * (T::M * T::N / 4);
}

// Half (0: above) of some neighbouring fragments in a tile, from fragment `j` of row of fragments `i` on.
struct Strip {
  int expert, tile, i, half, j;
};

// Adds a strip of `count` fragments to dw: all is read before anything is written, since a load that follows a store
// waits for memory.
template <class T, int count, class Sum>
__device__ __forceinline__ void add_to(const Problem& p, const Strip& s, Sum sum, float* dw) {
  const int lane = threadIdx.x % 32;
  const int m = s.tile / p.tiles_n * T::M + T::fragment_row(s.i) + tile::result_row(lane, 2 * s.half);
  const int n = s.tile % p.tiles_n * T::N + T::warp_column() + s.j * 8 + tile::result_column(lane, 0);
  if (m >= p.g.left) return;
  auto* row = reinterpret_cast<float2*>(dw + (s.expert * p.g.left + m) * p.g.right + n);
  float2 old[count];
#pragma unroll
  for (int j = 0; j < count; ++j)
    if (n + j * 8 < p.g.right) old[j] = row[j * 4];
#pragma unroll
  for (int j = 0; j < count; ++j)
    if (n + j * 8 < p.g.right) row[j * 4] = make_float2(old[j].x + sum(j).x, old[j].y + sum(j).y);
}

// A block adds `together` neighbouring fragments of a tile.
template <class T, int together>
__global__ void __launch_bounds__(T::threads) add_partials(Problem p, float* dw, const float4* partial) {
  constexpr int across = 2 * T::b_frags, ahead = together == 1 ? 4 : 1;  // shares read at once
  static_assert(across % together == 0);
  __shared__ int first[most_grouped_experts + 1];
  first_steps<T>(p, first);
  const int expert = blockIdx.x / p.tiles(), tile = blockIdx.x % p.tiles(), fragment = blockIdx.y * together;
  const int total = first[p.g.experts], steps = (first[expert + 1] - first[expert]) / p.tiles();
  if (steps == 0) return;
  const int begin = first[expert] + tile * steps;
  const int from = schedule::share_of(begin, total, T::shares);
  const int to = schedule::share_of(begin + steps - 1, total, T::shares);
  if (from == to) return;
  float sums[together][4] = {};
  for (int share = from; share <= to; share += ahead) {
    float4 more[ahead][together] = {};
#pragma unroll
    for (int i = 0; i < ahead; ++i) {
      const int share_begin = schedule::share_begin(total, share + i, T::shares);
      if (share + i > to || share_begin == schedule::share_begin(total, share + i + 1, T::shares)) continue;
      const int64_t place = place_of<T>(share + i, share_begin <= begin);
#pragma unroll
      for (int j = 0; j < together; ++j) more[i][j] = partial[place + (fragment + j) * T::threads + threadIdx.x];
    }
#pragma unroll
    for (int i = 0; i < ahead; ++i)
#pragma unroll
      for (int j = 0; j < together; ++j) {
        sums[j][0] += more[i][j].x;
        sums[j][1] += more[i][j].y;
        sums[j][2] += more[i][j].z;
        sums[j][3] += more[i][j].w;
      }
  }
#pragma unroll
  for (int half = 0; half < 2; ++half)
    add_to<T, together>(
        p, {expert, tile, fragment / across, half, fragment % across},
        [&](int j) { return make_float2(sums[j][2 * half], sums[j][2 * half + 1]); }, dw);
}

inline int tiles_of(int64_t size, int tile) {
  return static_cast<int>((size + tile - 1) / tile);
}

template <class T>
Problem problem_of(const GroupedWeightGradient& g) {
  return {g, tiles_of(g.left, T::M), tiles_of(g.right, T::N)};
}

template <class T>
int64_t workspace_of() {
  return int64_t{2} * T::shares * T::M * T::N;
}

constexpr unsigned few_tiles = 64;

template <class T>
void add_up(const Problem& p, float* dw, const float4* partial, void* stream) {
  // Small blocks wait less for memory where there are few tiles (0.7 of the time for 32 on an H100), but each has to
  // find its place first (1.1 for 72).
  const auto tiles = static_cast<unsigned>(p.g.experts * p.tiles());
  if (tiles < few_tiles)
    add_partials<T, 1><<<dim3(tiles, T::a_frags * 2 * T::b_frags), T::threads, 0, stream_of(stream)>>>(p, dw, partial);
  else
    add_partials<T, 2 * T::b_frags><<<dim3(tiles, T::a_frags), T::threads, 0, stream_of(stream)>>>(p, dw, partial);
  check_launch("grouped_weight_gradient: add_partials");
}

}  // namespace absorb::kernels::grouped
