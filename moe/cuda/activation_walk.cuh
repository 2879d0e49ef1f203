// How the activation's kernels walk over rows and columns. For .cu files alone. A block takes a run of rows and a tile
// of columns; a thread owns eight neighbouring columns of it for every row. Rows sorted by expert are walked expert by
// expert; a run that meets expert e leaves the partial sums run + e, which no other (run, expert) has, since both only
// grow.
#pragma once

#include <algorithm>

#include "moe/cuda/activation.cuh"
#include "tensors/cuda/vectors.cuh"

namespace absorb::kernels {

constexpr int most_threads = 256;

/// None; concatenated, with weights, of whole groups of eight columns or beginning anywhere; or as sorted rows.
enum class Experts { none, whole, cut, sorted };

/// How a call is cut: threads across and down, column tiles, rows of a run, runs.
struct Tiles {
  int across = 0, down = 0;
  int64_t tiles = 0, run = 0, runs = 0;
};

inline Tiles tiles_of(const ActivationCall& call, int64_t blocks) {
  Tiles t;
  const int64_t vectors = call.width / 8;
  t.tiles = (vectors + most_threads - 1) / most_threads;
  const int64_t across = (vectors + t.tiles - 1) / t.tiles;
  t.across = static_cast<int>(t.tiles == 1 ? across : (across + 31) / 32 * 32);
  t.down = most_threads / t.across;
  const int64_t wanted = std::max<int64_t>(1, blocks / t.tiles);
  t.run = std::max<int64_t>((call.rows + wanted - 1) / wanted, t.down);
  t.runs = (call.rows + t.run - 1) / t.run;
  return t;
}

// Blocks on a multiprocessor and rows that a thread asks for at once: the fastest of those tried on an H100. Philox
// hides the reads with more threads, without it more reads a thread do better.
constexpr int forward_resident(bool drops) {
  return !drops ? 3 : 4;
}
constexpr int forward_ahead(bool drops) {
  return !drops ? 4 : 1;
}
constexpr int backward_resident(bool drops, Experts experts) {
  if (experts == Experts::cut) return 2;
  return !drops && experts != Experts::whole ? 3 : 4;
}
constexpr int backward_ahead(bool drops, Experts experts) {
  return experts == Experts::none || (experts == Experts::sorted && !drops) ? 2 : 1;
}

inline Experts experts_of(const ActivationCall& call) {
  if (call.ends) return Experts::sorted;
  if (!call.weights) return Experts::none;
  return call.width / call.experts % 8 == 0 ? Experts::whole : Experts::cut;
}

constexpr int64_t multiprocessors = 132;  // an H100's; fixed, since the order of sums follows from it

inline Tiles forward_tiles(const ActivationCall& call) {
  return tiles_of(call, 8 * multiprocessors);
}
inline Tiles backward_tiles(const ActivationCall& call) {
  const bool drops = call.dropout.threshold != 0;
  return tiles_of(call, backward_resident(drops, experts_of(call)) * multiprocessors);
}

/// A thread's columns, and its block's rows.
struct Place {
  int down, column, width;
  int64_t begin;  // the block's first row; the rows below count from it, so that offsets are 32 bits
  int rows;
  __device__ __forceinline__ Place(const ActivationCall& a, const Tiles& t)
      : down(static_cast<int>(threadIdx.x) / t.across),
        column((static_cast<int>(blockIdx.x) * t.across + static_cast<int>(threadIdx.x) % t.across) * 8),
        width(static_cast<int>(a.width)),
        begin(blockIdx.y * t.run),
        rows(static_cast<int>(min(t.run, a.rows - begin))) {}
  /// The first of the thread's elements in a tensor [N,F].
  template <class T>
  __device__ __forceinline__ T* in(T* tensor) const {
    return tensor + begin * width + column;
  }
};

/// Rows of one expert within a block's, and the dropout's index of the block's row 0 and column 0.
struct Segment {
  int begin, end;
  int64_t origin;
};

/// The expert that has row `row`: the first whose end lies beyond it; E if none.
__device__ __forceinline__ int expert_of(const ActivationCall& a, int64_t row) {
  int low = 0, high = static_cast<int>(a.experts);
  while (low < high) {
    const int middle = (low + high) / 2;
    if (a.ends[middle] > row)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/// Calls f(segment, expert, mask) for what the block's rows have of each expert, where rows are sorted.
template <class F>
__device__ __forceinline__ void each_expert(const ActivationCall& a, const Place& place, const RoundKeys& keys, F f) {
  for (int expert = expert_of(a, place.begin); expert < a.experts; ++expert) {
    const int64_t start = (expert == 0 ? 0 : a.ends[expert - 1]) - place.begin, stop = a.ends[expert] - place.begin;
    if (start >= place.rows) break;
    const Segment s{static_cast<int>(max(start, int64_t{0})),
                    static_cast<int>(min(stop, static_cast<int64_t>(place.rows))), place.begin * place.width};
    if (s.begin >= s.end) continue;
    f(s, expert, Mask(a.dropout, keys));
  }
}

/// The same, once for all of the block's rows where they aren't sorted.
template <Experts experts, class F>
__device__ __forceinline__ void each_segment(const ActivationCall& a, const Place& place, const RoundKeys& keys, F f) {
  if constexpr (experts == Experts::sorted)
    each_expert(a, place, keys, f);
  else
    f(Segment{0, place.rows, place.begin * place.width}, 0, Mask(a.dropout, keys));
}

/// Multiplies eight elements by their dropout.
template <bool drops>
__device__ __forceinline__ void drop_eight(const Mask& mask, int64_t index, Floats<8>& x) {
  if constexpr (drops) {
    const Floats<8> keep = mask.eight(index);
#pragma unroll
    for (int k = 0; k < 8; ++k) x.at[k] *= keep.at[k];
  }
}

/// The weights of concatenated experts for a thread's columns.
template <Experts experts>
struct Weigher {
  const float* first;  // of the block's row 0
  int count, hidden, column;
  __device__ __forceinline__ Weigher(const ActivationCall& a, const Place& place)
      : first(a.weights + place.begin * a.experts),
        count(static_cast<int>(a.experts)),
        hidden(place.width / count),
        column(place.column) {
    if constexpr (experts == Experts::whole) first += column / hidden;
  }
  /// The row's weight, where its eight columns have one.
  __device__ __forceinline__ float read(int row) const { return experts == Experts::whole ? first[row * count] : 1.0f; }
  __device__ __forceinline__ void weigh(int row, float weight, Floats<8>& x) const {
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      if constexpr (experts == Experts::whole) x.at[k] *= weight;
      if constexpr (experts == Experts::cut) x.at[k] *= first[row * count + (column + k) / hidden];
    }
  }
};

/// Biases of a thread's columns; `expert` counts where each has its own.
__device__ __forceinline__ Floats<8> bias_of(const ActivationCall& a, const Place& place, int expert) {
  return a.bias ? load8(a.bias, static_cast<int64_t>(expert) * place.width + place.column) : Floats<8>{};
}

/// What the backward pass leaves beside the call.
struct Outputs {
  const Bf16* dout;
  Bf16* du;
  float* partials;  // [runs + E, F], or null
  float* dots;      // dweights' parts: [N, parts], or null
  int fold, parts;  // lanes that share an expert, a power of two; F / 8 / fold
};

/// What the backward reads of eight elements.
struct Taken {
  uint4 u, dout;
  float weight;
};

}  // namespace absorb::kernels
