// How grouped weight gradients are dealt out and put together, whatever multiplies: blocks take a share of schedule.cuh
// each, write whole tiles to dw and parts of tiles to the workspace, which a second launch adds in the order of the
// shares. A tile T has M, N, depth (rows of a step), shares, threads and fragments of 16 x 8 sums as mma.m16n8 has
// them: fragment_row(i) for i < a_frags, warp_column() + 8 j for j < 2 b_frags. For .cu files alone.
#pragma once

#include <cuda_runtime.h>

#include "moe/cuda/first_steps.cuh"
#include "moe/cuda/grouped/grouped.cuh"
#include "moe/cuda/grouped/schedule.cuh"
#include "router/cuda/tile.cuh"
#include "tensors/cuda/launch.cuh"

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

// A block of add_partials adds so many neighbouring fragments of a tile, and reads so many shares at once: on an H100
// as fast as any for 32 tiles and for 72. Fewer blocks wait for memory, more of them for finding their place.
constexpr int together = 4, ahead = 2;

// The numbers of dw that a thread adds its sums to.
template <class T>
struct Targets {
  int rows, columns;  // that are there, from this thread's first on
  float2* at;
  int64_t below;  // from a fragment's upper row to its lower one
  float2 old[2][together];

  __device__ __forceinline__ Targets(const Problem& p, int expert, int tile, int fragment, float* dw) {
    constexpr int across = 2 * T::b_frags;
    static_assert(across % together == 0);
    const int lane = threadIdx.x % 32;
    const int m = tile / p.tiles_n * T::M + T::fragment_row(fragment / across) + tile::result_row(lane, 0);
    const int n = tile % p.tiles_n * T::N + T::warp_column() + fragment % across * 8 + tile::result_column(lane, 0);
    rows = static_cast<int>(p.g.left) - m;
    columns = static_cast<int>(p.g.right) - n;
    at = reinterpret_cast<float2*>(dw + (expert * p.g.left + m) * p.g.right + n);
    below = 4 * p.g.right;
    each([&](int half, int j, float2& number) { old[half][j] = number; });
  }
  template <class Visit>
  __device__ __forceinline__ void each(Visit visit) const {
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int j = 0; j < together; ++j)
        if (half * 8 < rows && j * 8 < columns) visit(half, j, at[half * below + j * 4]);
  }
  __device__ __forceinline__ void add(const float4 (&sums)[together]) const {
    each([&](int half, int j, float2& number) {
      const float2 more = half ? make_float2(sums[j].z, sums[j].w) : make_float2(sums[j].x, sums[j].y);
      number = make_float2(old[half][j].x + more.x, old[half][j].y + more.y);
    });
  }
};

__device__ __forceinline__ void add_where(bool there, float4& sum, const float4& more) {
  sum.x += there ? more.x : 0;
  sum.y += there ? more.y : 0;
  sum.z += there ? more.z : 0;
  sum.w += there ? more.w : 0;
}

template <class T>
__global__ void __launch_bounds__(T::threads) add_partials(Problem p, float* dw, const float4* partial) {
  __shared__ int first[most_grouped_experts + 1];
  first_steps<T>(p, first);
  const int expert = blockIdx.x / p.tiles(), tile = blockIdx.x % p.tiles(), fragment = blockIdx.y * together;
  const int total = first[p.g.experts], steps = (first[expert + 1] - first[expert]) / p.tiles();
  if (steps == 0) return;
  const int begin = first[expert] + tile * steps;
  const int from = schedule::share_of(begin, total, T::shares);
  const int to = schedule::share_of(begin + steps - 1, total, T::shares);
  if (from == to) return;
  const Targets<T> targets(p, expert, tile, fragment, dw);  // read early
  float4 sums[together] = {};
  for (int share = from; share <= to; share += ahead) {
    float4 more[ahead][together];
    bool there[ahead];
#pragma unroll
    for (int i = 0; i < ahead; ++i) {
      // What isn't there is read from elsewhere and left out: after a branch the loads would wait for each other.
      const int read = share + i < to ? share + i : to, share_begin = schedule::share_begin(total, read, T::shares);
      there[i] = share + i <= to && share_begin < schedule::share_begin(total, read + 1, T::shares);
      const int64_t place = place_of<T>(read, share_begin <= begin);
#pragma unroll
      for (int j = 0; j < together; ++j) more[i][j] = partial[place + (fragment + j) * T::threads + threadIdx.x];
    }
#pragma unroll
    for (int i = 0; i < ahead; ++i)
#pragma unroll
      for (int j = 0; j < together; ++j) add_where(there[i], sums[j], more[i][j]);
  }
  targets.add(sums);
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

template <class T>
void add_up(const Problem& p, float* dw, const float4* partial, void* stream) {
  const dim3 grid(static_cast<unsigned>(p.g.experts * p.tiles()), T::a_frags * 2 * T::b_frags / together);
  add_partials<T><<<grid, T::threads, 0, stream_of(stream)>>>(p, dw, partial);
  check_launch("grouped_weight_gradient: add_partials");
}

}  // namespace absorb::kernels::grouped
