// The backward's threads own their columns for all of their rows, which makes the sums over rows registers too.
#include <algorithm>

#include "tensors/cuda/column_sums.cuh"
#include "tensors/cuda/launch.cuh"
#include "transformer/cuda/norm_rows.cuh"

namespace absorb::kernels {
namespace {

using namespace norm;

constexpr int64_t most_blocks = 264;  // two on each multiprocessor of an H100: what the backward's registers allow

template <int chunks>
struct Sums {
  Floats<4> gamma[chunks] = {}, beta[chunks] = {}, bias[chunks] = {};
};

/// What a row needs, as it is stored: read before the row ahead is worked on.
template <int chunks>
struct Loaded {
  uint2 dh[chunks], next[chunks];
  Floats<4> x[chunks];
  float mean, rstd;
};

template <int group, int chunks>
__device__ __forceinline__ void load_row(const NormBackward& a, int64_t row, Loaded<chunks>& in) {
  const bool live = row < a.rows;
  in.mean = live ? a.mean[row] : 0.0f;
  in.rstd = live ? a.rstd[row] : 0.0f;
#pragma unroll
  for (int c = 0; c < chunks; ++c) {
    const int column = column_of<group>(c);
    const bool inside = live && column < a.width;
    const int64_t i = row * a.width + column;
    in.dh[c] = inside ? load4(a.dh, i) : uint2{};
    in.next[c] = inside && a.dx_next ? load4(a.dx_next, i) : uint2{};
    in.x[c] = inside ? load4(a.x, i) : Floats<4>{};
  }
}

/// From g gamma (in `in.x`'s place: xhat) to dx and dy.
template <int group, int chunks, bool dropout>
__device__ __forceinline__ void finish_row(const NormBackward& a, const Mask& mask, int64_t row,
                                           const Floats<4> (&g)[chunks], const Loaded<chunks>& in, float first,
                                           float second, Sums<chunks>& sums) {
#pragma unroll
  for (int c = 0; c < chunks; ++c) {
    const int column = column_of<group>(c);
    if (row >= a.rows || column >= a.width) continue;
    const int64_t i = row * a.width + column;
    Floats<4> dx = unpack(in.next[c]);
#pragma unroll
    for (int k = 0; k < 4; ++k) dx.at[k] = fmaf(in.rstd, g[c].at[k] - first - in.x[c].at[k] * second, dx.at[k]);
    store(a.dx, i, dx);
    if constexpr (dropout) {
      const Floats<4> keep = mask.four(i);
#pragma unroll
      for (int k = 0; k < 4; ++k) dx.at[k] *= keep.at[k];
      store(a.dy, i, dx);
    }
#pragma unroll
    for (int k = 0; k < 4; ++k) sums.bias[c].at[k] += dx.at[k];
  }
}

template <int group, int chunks, bool dropout>
__device__ __forceinline__ void backward_row(const NormBackward& a, const Mask& mask, int64_t row, Loaded<chunks>& in,
                                             GroupSum<group>& group_sum, Sums<chunks>& sums) {
  Floats<4> g[chunks];
  float first = 0, second = 0;
#pragma unroll
  for (int c = 0; c < chunks; ++c) {
    const int column = column_of<group>(c);
    g[c] = unpack(in.dh[c]);
    if (column >= a.width) continue;
    const Floats<4> gamma = load4(a.gamma, column);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const float xhat = (in.x[c].at[k] - in.mean) * in.rstd, dh = g[c].at[k];
      sums.beta[c].at[k] += dh;
      sums.gamma[c].at[k] = fmaf(dh, xhat, sums.gamma[c].at[k]);
      const float scaled = dh * gamma.at[k];
      first += scaled;
      second = fmaf(scaled, xhat, second);
      g[c].at[k] = scaled;
      in.x[c].at[k] = xhat;
    }
  }
  const float share = 1.0f / static_cast<float>(a.width);
  first = group_sum(first) * share;
  second = group_sum(second) * share;
  finish_row<group, chunks, dropout>(a, mask, row, g, in, first, second, sums);
}

/// Adds up the block's groups and writes one of the three rows of its partial sums.
template <int group, int chunks>
__device__ __forceinline__ void write_sums(const Floats<4> (&sums)[chunks], float* shared, int width, float* out) {
  const int own = static_cast<int>(threadIdx.x) / group;
  __syncthreads();
#pragma unroll
  for (int c = 0; c < chunks; ++c)
    if (const int column = column_of<group>(c); column < width) store(shared, own * width + column, sums[c]);
  __syncthreads();
  for (int column = static_cast<int>(threadIdx.x); column < width; column += threads) {
    float sum = 0;
#pragma unroll
    for (int other = 0; other < threads / group; ++other) sum += shared[other * width + column];
    out[column] = sum;
  }
}

template <int group, int chunks, bool dropout>
__global__ void __launch_bounds__(threads, chunks < 4 ? 2 : 1)
    backward(const __grid_constant__ NormBackward a, const __grid_constant__ RoundKeys keys) {
  extern __shared__ float columns[];  // [groups, D]
  __shared__ float shared[2][threads / 32];
  GroupSum<group> group_sum{shared};
  Sums<chunks> sums;
  const Mask mask(a.dropout, keys);
  const int64_t stride = static_cast<int64_t>(gridDim.x) * (threads / group);
  const int64_t offset = threadIdx.x / group;
  constexpr bool early = group == 32 || chunks < 3;  // the next row is read before this one's sums; registers allow it
  int64_t first = static_cast<int64_t>(blockIdx.x) * (threads / group);
  Loaded<chunks> ahead;
  load_row<group>(a, first + offset, ahead);
  for (; first < a.rows; first += stride) {
    Loaded<chunks> in = ahead;
    if constexpr (early) load_row<group>(a, first + stride + offset, ahead);
    backward_row<group, chunks, dropout>(a, mask, first + offset, in, group_sum, sums);
    if constexpr (!early) load_row<group>(a, first + stride + offset, ahead);
  }
  const int width = static_cast<int>(a.width);
  float* out = static_cast<float*>(a.workspace) + static_cast<int64_t>(blockIdx.x) * 3 * width;
  write_sums<group>(sums.gamma, columns, width, out);
  write_sums<group>(sums.beta, columns, width, out + width);
  write_sums<group>(sums.bias, columns, width, out + 2 * width);
}

int64_t backward_blocks(int64_t rows, int group) {
  const int64_t groups = threads / group;
  return std::max<int64_t>(1, std::min(most_blocks, (rows + groups - 1) / groups));
}

}  // namespace

void norm_backward(const NormBackward& call, void* stream) {
  if (call.later) *call.later = {};
  if (call.rows == 0) return;
  const RoundKeys keys(call.dropout.key);
  int64_t blocks = 0;
  with_row(call.width, [&]<int group, int chunks>() {
    blocks = backward_blocks(call.rows, group);
    const auto grid = static_cast<unsigned>(blocks);
    const auto shared = static_cast<unsigned>(threads / group * call.width * 4);
    if (call.dropout.threshold != 0)
      backward<group, chunks, true><<<grid, threads, shared, stream_of(stream)>>>(call, keys);
    else
      backward<group, chunks, false><<<grid, threads, shared, stream_of(stream)>>>(call, keys);
  });
  check_launch("norm_backward");
  ColumnSums sums;
  if (call.dgamma || call.dbeta || call.dy_bias) {
    sums.partials = static_cast<const float*>(call.workspace);
    sums.count = blocks;
    sums.width = 3 * call.width;
    sums.thirds[0] = call.dgamma;
    sums.thirds[1] = call.dbeta;
    sums.thirds[2] = call.dy_bias;
  }
  if (call.later)
    *call.later = sums;
  else
    add_column_sums(&sums, 1, stream);
}

size_t norm_backward_bytes(int64_t rows, int64_t width) {
  int64_t blocks = 0;
  with_row(width, [&]<int group, int>() { blocks = backward_blocks(rows, group); });
  return static_cast<size_t>(blocks * 3 * width) * sizeof(float);
}

}  // namespace absorb::kernels
