// What the kernels of attend.cuh share: tiles of queries and keys, four warps of 16 rows each against 64 columns; where
// a warp works, which elements of a tile are seen, kept or dropped. Index maps compile on the host, where tests
// check them; the rest is for .cu files alone. Surprising: a set of elements is one word a thread, bit 4 n + i for
// element i of the n-th 16 x 8 block, since a word costs one register where a tile of flags costs 32.
#pragma once

#include "attention/cuda/attend.cuh"
#include "attention/cuda/dropout_bits.cuh"
#include "router/cuda/place.cuh"
#include "router/cuda/score.cuh"

namespace absorb::kernels::attend {

using namespace tile;

constexpr int tile_rows = 64, tile_columns = 64;

/// The bits of one row of 16 x 8 blocks, side 0 or 1 (8 rows below): elements 4 n + 2 side and the next of every block,
/// out of the row's keys from a multiple of 16 on.
template <int Blocks>
ABSORB_HOST_DEVICE constexpr uint32_t bits_of_row(uint32_t keys, int side, int lane) {
  uint32_t bits = 0;
  for (int n = 0; n < Blocks; ++n) bits |= (keys >> (8 * n + lane % 4 * 2) & 3u) << (4 * n + 2 * side);
  return bits;
}
/// The bits of one column, 8 n + lane % 4 * 2 + j, of blocks whose rows are keys: elements 4 n + j and 4 n + j + 2, out
/// of that query's keys from a multiple of 16 on.
ABSORB_HOST_DEVICE constexpr uint32_t bits_of_column(uint32_t keys, int n, int j, int lane) {
  const uint32_t own = keys >> (lane / 4);
  return ((own & 1u) | (own >> 8 & 1u) << 2) << (4 * n + j);
}

#ifdef __CUDACC__

enum class Mode { plain, scale_logits, log_bias, post_softmax };

/// Where a warp works: 16 of its block's 64 rows, which are queries or keys.
struct Warp {
  Place place;
  int lane, row;     // the warp's first row in the block
  int first, valid;  // the block's first row in the sequence, and how many of its rows exist

  __device__ __forceinline__ Warp(const AttendShape& shape, bool longest_last)
      : place(place_of<tile_rows>(shape, longest_last)),
        lane(static_cast<int>(threadIdx.x) % 32),
        row(static_cast<int>(threadIdx.x) / 32 * 16),
        first(place.tile * tile_rows),
        valid(rows_left(shape.items, first, tile_rows)) {}
  /// The warp's first row in the sequence.
  __device__ __forceinline__ int own() const { return first + row; }
};

/// Starts to copy 64 rows from `first` on.
template <int Width>
__device__ __forceinline__ void load_rows(uint32_t tile, const View& view, const Place& place, int first, int items,
                                          int width) {
  tile::load_tile<Width, tile_rows, threads>(tile, rows_of(view, place, first), view.item,
                                             rows_left(items, first, tile_rows), width);
}

/// Writes a warp's rows through its own part of a tile.
template <int Width>
__device__ __forceinline__ void store_own(const float (&x)[Width / 8][4], float factor, unsigned char* tile,
                                          const MutableView& to, const Warp& warp, int width) {
  store_rows<Width>(x, factor, factor, tile + warp.row * Width * 2, rows_of(to, warp.place, warp.own()), to.item,
                    warp.valid - warp.row, width, warp.lane);
}

/// Bit 4 n + i of `word`.
__device__ __forceinline__ bool has(uint32_t word, int n, int i) {
  return word >> (4 * n + i) & 1u;
}

/// Elements whose key does not come after its query. `difference`: query minus key of the block's first row and column;
/// rows are queries, or keys when Transposed.
template <int Blocks, bool Transposed>
__device__ __forceinline__ uint32_t causal_bits(int difference, int lane) {
  uint32_t bits = 0;
#pragma unroll
  for (int n = 0; n < Blocks; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int column_minus_row = 8 * n + tile::result_column(lane, i) - tile::result_row(lane, i);
      const bool seen = Transposed ? difference + column_minus_row >= 0 : difference - column_minus_row >= 0;
      bits |= static_cast<uint32_t>(seen) << (4 * n + i);
    }
  return bits;
}

/// Dropout of one head of one sequence.
struct Drop {
  bool on;
  float scale;
  int items, words;
  const uint32_t* rows;  // [T, words] of the pair
};

__device__ __forceinline__ Drop drop_of(const Dropout& dropout, const uint32_t* stay, const AttendShape& shape,
                                        const Place& place) {
  const bool on = dropout.threshold != 0;
  const int words = words_of(shape.items);
  return {on, on ? dropout.scale : 1.0f, shape.items, words, stay + place.pair * shape.items * words};
}

/// Keys of a query from `key`, a multiple of 16, to the end of its word.
__device__ __forceinline__ uint32_t stay_of(const Drop& drop, int query, int key) {
  const int row = query < drop.items ? query : drop.items - 1, word = key / 32 < drop.words ? key / 32 : drop.words - 1;
  return __ldg(drop.rows + row * drop.words + word) >> (key & 31);
}

/// Elements that dropout leaves. The block's first query and key; rows are queries, or keys when Transposed.
template <int Blocks, bool Transposed>
__device__ __forceinline__ uint32_t stay_bits(const Drop& drop, int query, int key, int lane) {
  uint32_t bits = 0;
  if constexpr (!Transposed) {
#pragma unroll
    for (int side = 0; side < 2; ++side)
      bits |= bits_of_row<Blocks>(stay_of(drop, query + lane / 4 + 8 * side, key), side, lane);
  } else {
#pragma unroll
    for (int n = 0; n < Blocks; ++n)
#pragma unroll
      for (int j = 0; j < 2; ++j)
        bits |= bits_of_column(stay_of(drop, query + 8 * n + lane % 4 * 2 + j, key), n, j, lane);
  }
  return bits;
}

template <int Blocks>
__device__ __forceinline__ void keep_only(float (&x)[Blocks][4], uint32_t bits, float otherwise) {
#pragma unroll
  for (int n = 0; n < Blocks; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (!has(bits, n, i)) x[n][i] = otherwise;
}

/// What the sigmoid of a mode takes is fmaf(dot, multiplier, shift): half a score where it is a tanh, a score in base 2
/// where it is 2^x, and where the weight is 1 a number whose sigmoid is 1, which costs no branch.
template <Mode M>
__device__ __forceinline__ score::Line sigmoid_line(score::Line line, bool sigmoid) {
  constexpr float unit = M == Mode::scale_logits ? 0.5f : M == Mode::log_bias ? score::log2_e : 1.0f;
  constexpr float open = 256;
  return sigmoid ? score::Line{line.multiplier * unit, line.shift * unit} : score::Line{0, open};
}

/// What a head's scores and its sigmoid are of dot products; R 0: no gate.
struct Lines {
  score::Line score = {1, 0}, weight = {1, 0};
};
template <int R, Mode M>
__device__ __forceinline__ Lines lines_of(const AttendGate& gate, int head) {
  Lines lines;
  if constexpr (R > 0) lines.score = score::line_of(gate.factor, gate.scale, gate.shift, head);
  lines.weight = sigmoid_line<M>(lines.score, gate.sigmoid);
  return lines;
}

template <int Blocks>
__device__ __forceinline__ void make_scores(float (&g)[Blocks][4], score::Line line) {
#pragma unroll
  for (int n = 0; n < Blocks; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) g[n][i] = score::raw(g[n][i], line);
}

/// Kept elements; rows are queries from `query` on, columns keys from `key` on. Thresholds are read each time, which
/// costs less than keeping them in registers.
template <int Blocks>
__device__ __forceinline__ uint32_t kept_by_row(const float (&dots)[Blocks][4], score::Line line,
                                                const AttendGate& gate, const Place& place, int items, int query,
                                                int key, int lane) {
  uint32_t kept = 0;
#pragma unroll
  for (int side = 0; side < 2; ++side) {
    const int row = query + lane / 4 + side * 8;
    const int64_t index = place.pair * items + (row < items ? row : items - 1);
    const float threshold = gate.threshold[index];
    const int last = gate.last[index];
#pragma unroll
    for (int n = 0; n < Blocks; ++n)
#pragma unroll
      for (int i = 2 * side; i < 2 * side + 2; ++i)
        kept |= static_cast<uint32_t>(score::kept(score::raw(dots[n][i], line),
                                                  key + 8 * n + tile::result_column(lane, i), threshold, last))
                << (4 * n + i);
  }
  return kept;
}

#endif

}  // namespace absorb::kernels::attend
