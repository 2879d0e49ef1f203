// Row movements around the grouped products, in vectors of 8 numbers (or single ones, where D or a pointer doesn't
// allow more).
#include <cuda_runtime.h>

#include "moe/cuda/dispatch.cuh"
#include "tensors/cuda/launch.cuh"
#include "tensors/cuda/vectors.cuh"

namespace absorb::kernels {
namespace {

constexpr int threads = 256;

// A token's row takes `lanes` threads, each of which has `turns` vectors at once (their loads are under way together),
// and as often again as the width asks for. `kept` is K where it is known when compiling, else 0.
template <int lanes_, int vector_, int turns_, int kept_>
struct Shape {
  static constexpr int lanes = lanes_, vector = vector_, turns = turns_, kept = kept_;
  static constexpr int stride = lanes * vector, columns = stride * turns;
  static constexpr int batch = kept ? kept : 1;  // slots whose loads are under way together
};

template <class S>
struct Token {
  int64_t row;
  int column;

  __device__ __forceinline__ Token() {
    const int64_t thread = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
    row = thread / S::lanes;
    column = static_cast<int>(thread % S::lanes) * S::vector;
  }
};

template <class S>
using Vectors = Floats<S::vector>[S::turns];

// This lane's vectors of a row from column c on; zeros past the end.
template <class S, class T>
__device__ __forceinline__ void load_row(Vectors<S>& out, const T* row, int c, int width) {
#pragma unroll
  for (int i = 0; i < S::turns; ++i)
    out[i] = c + i * S::stride < width ? load<S::vector>(row + c + i * S::stride) : Floats<S::vector>{};
}

template <class S>
__device__ __forceinline__ void store_row(Bf16* row, int c, int width, const Vectors<S>& from) {
#pragma unroll
  for (int i = 0; i < S::turns; ++i)
    if (c + i * S::stride < width) store(row, c + i * S::stride, from[i]);
}

// Calls each(turn, number) for all of a lane's numbers.
template <class S, class Each>
__device__ __forceinline__ void for_numbers(Each each) {
#pragma unroll
  for (int i = 0; i < S::turns; ++i)
#pragma unroll
    for (int j = 0; j < S::vector; ++j) each(i, j);
}

template <class S>
__device__ __forceinline__ int kept_of(const TokenRows& r) {
  return S::kept ? S::kept : static_cast<int>(r.kept);
}

template <class S>
__device__ __forceinline__ int64_t offset_of(const TokenRows& r, int64_t pair) {
  return static_cast<int64_t>(r.inverse[pair]) * r.width;
}

// By token, not by place: a row is read once.
template <class S>
__global__ void __launch_bounds__(threads) gather(TokenRows r, const Bf16* __restrict__ x, Bf16* __restrict__ sorted) {
  const Token<S> at;
  if (at.row >= r.tokens) return;
  const int width = static_cast<int>(r.width), kept = kept_of<S>(r);
  for (int c = at.column; c < width; c += S::columns) {
    Vectors<S> row;
    load_row<S>(row, x + at.row * r.width, c, width);
#pragma unroll(S::batch)
    for (int k = 0; k < kept; ++k) store_row<S>(sorted + offset_of<S>(r, at.row * kept + k), c, width, row);
  }
}

template <class S>
__global__ void __launch_bounds__(threads)
    gather_backward(TokenRows r, const Bf16* __restrict__ dsorted, Bf16* __restrict__ dx, bool accumulate) {
  const Token<S> at;
  if (at.row >= r.tokens) return;
  const int width = static_cast<int>(r.width), kept = kept_of<S>(r);
  for (int c = at.column; c < width; c += S::columns) {
    Vectors<S> sum = {};
    if (accumulate) load_row<S>(sum, dx + at.row * r.width, c, width);
    for (int k = 0; k < kept; k += S::batch) {
      Vectors<S> row[S::batch];
#pragma unroll
      for (int b = 0; b < S::batch; ++b)
        load_row<S>(row[b], dsorted + offset_of<S>(r, at.row * kept + k + b), c, width);
#pragma unroll
      for (int b = 0; b < S::batch; ++b) for_numbers<S>([&](int i, int j) { sum[i].at[j] += row[b][i].at[j]; });
    }
    store_row<S>(dx + at.row * r.width, c, width, sum);
  }
}

template <class S>
__device__ __forceinline__ void add_bias(const CombineRows& m, int64_t pair, int c, int width, Vectors<S>& row) {
  if (!m.out_bias) return;
  Vectors<S> bias;
  load_row<S>(bias, m.out_bias + m.kept[pair] * m.rows.width, c, width);
  for_numbers<S>([&](int i, int j) { row[i].at[j] += bias[i].at[j]; });
}

template <class S>
__global__ void __launch_bounds__(threads)
    combine(CombineRows m, const Bf16* __restrict__ sorted, Bf16* __restrict__ y) {
  const TokenRows& r = m.rows;
  const Token<S> at;
  if (at.row >= r.tokens) return;
  const int width = static_cast<int>(r.width), kept = kept_of<S>(r);
  for (int c = at.column; c < width; c += S::columns) {
    Vectors<S> sum = {};
    for (int k = 0; k < kept; k += S::batch) {
      Vectors<S> row[S::batch];
#pragma unroll
      for (int b = 0; b < S::batch; ++b) load_row<S>(row[b], sorted + offset_of<S>(r, at.row * kept + k + b), c, width);
#pragma unroll
      for (int b = 0; b < S::batch; ++b) {
        const int64_t pair = at.row * kept + k + b;
        add_bias<S>(m, pair, c, width, row[b]);
        const float w = m.weights[pair];
        for_numbers<S>([&](int i, int j) { sum[i].at[j] = fmaf(w, row[b][i].at[j], sum[i].at[j]); });
      }
    }
    store_row<S>(y + at.row * r.width, c, width, sum);
  }
}

// `sorted` and `dsorted` may be the same memory: a thread reads a vector before it writes it.
template <class S>
__global__ void __launch_bounds__(threads)
    combine_backward(CombineRows m, const Bf16* __restrict__ dy, const Bf16* sorted, Bf16* dsorted, float* dweights) {
  const TokenRows& r = m.rows;
  const Token<S> at;
  const bool real = at.row < r.tokens;  // the others' lanes stay for the shuffles
  const int width = real ? static_cast<int>(r.width) : 0, kept = kept_of<S>(r);
  for (int k = 0; k < kept; k += S::batch) {
    float dot[S::batch] = {};
    const int64_t pair = real ? at.row * kept + k : 0;
    for (int c = at.column; c < width; c += S::columns) {
      Vectors<S> g, row[S::batch];
#pragma unroll
      for (int b = 0; b < S::batch; ++b) load_row<S>(row[b], sorted + offset_of<S>(r, pair + b), c, width);
      load_row<S>(g, dy + at.row * r.width, c, width);
#pragma unroll
      for (int b = 0; b < S::batch; ++b) {
        add_bias<S>(m, pair + b, c, width, row[b]);
        const float w = m.weights[pair + b];
        for_numbers<S>([&](int i, int j) {
          dot[b] = fmaf(g[i].at[j], row[b][i].at[j], dot[b]);
          row[b][i].at[j] = w * g[i].at[j];
        });
        store_row<S>(dsorted + offset_of<S>(r, pair + b), c, width, row[b]);
      }
    }
#pragma unroll
    for (int b = 0; b < S::batch; ++b) {
#pragma unroll
      for (int step = S::lanes / 2; step > 0; step /= 2) dot[b] += __shfl_xor_sync(0xffffffffu, dot[b], step, S::lanes);
      if (real && at.column == 0) dweights[pair + b] = dot[b];
    }
  }
}

// Calls launch(shape) for a width and a K.
template <int kept, class Launch>
void with_lanes(int64_t width, bool is_wide, Launch launch) {
  if (!is_wide)
    launch(Shape<32, 1, 2, kept>());
  else if (width <= 64)
    launch(Shape<8, 8, 1, kept>());
  else if (width <= 128)
    launch(Shape<16, 8, 1, kept>());
  else if (width <= 256)
    launch(Shape<32, 8, 1, kept>());
  else if (width <= 384)
    launch(Shape<16, 8, 3, kept>());
  else if (width % 768 != 0)
    launch(Shape<32, 8, 2, kept>());
  else
    launch(Shape<32, 8, 3, kept>());
}

template <class Launch>
void with_shape(const TokenRows& rows, bool is_wide, Launch launch) {
  if (rows.tokens == 0) return;
  if (rows.kept == 2)
    with_lanes<2>(rows.width, is_wide, launch);
  else
    with_lanes<0>(rows.width, is_wide, launch);
}

unsigned blocks_for(const TokenRows& rows, int lanes) {
  return static_cast<unsigned>((rows.tokens * lanes + threads - 1) / threads);
}

}  // namespace

void gather_rows(const TokenRows& rows, const Bf16* x, Bf16* sorted, void* stream) {
  with_shape(rows, wide(rows.width, {x, sorted}), [&](auto shape) {
    using S = decltype(shape);
    gather<S><<<blocks_for(rows, S::lanes), threads, 0, stream_of(stream)>>>(rows, x, sorted);
  });
  check_launch("gather_rows");
}

void gather_rows_backward(const TokenRows& rows, const Bf16* dsorted, Bf16* dx, bool accumulate, void* stream) {
  with_shape(rows, wide(rows.width, {dsorted, dx}), [&](auto shape) {
    using S = decltype(shape);
    gather_backward<S><<<blocks_for(rows, S::lanes), threads, 0, stream_of(stream)>>>(rows, dsorted, dx, accumulate);
  });
  check_launch("gather_rows_backward");
}

void combine_rows(const CombineRows& m, const Bf16* sorted, Bf16* y, void* stream) {
  with_shape(m.rows, wide(m.rows.width, {sorted, y, m.out_bias}), [&](auto shape) {
    using S = decltype(shape);
    combine<S><<<blocks_for(m.rows, S::lanes), threads, 0, stream_of(stream)>>>(m, sorted, y);
  });
  check_launch("combine_rows");
}

void combine_rows_backward(const CombineRows& m, const Bf16* dy, const Bf16* sorted, Bf16* dsorted, float* dweights,
                           void* stream) {
  with_shape(m.rows, wide(m.rows.width, {dy, sorted, dsorted, m.out_bias}), [&](auto shape) {
    using S = decltype(shape);
    combine_backward<S>
        <<<blocks_for(m.rows, S::lanes), threads, 0, stream_of(stream)>>>(m, dy, sorted, dsorted, dweights);
  });
  check_launch("combine_rows_backward");
}

}  // namespace absorb::kernels
