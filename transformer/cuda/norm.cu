#include "transformer/cuda/norm.cuh"

#include "tensors/cuda/launch.cuh"
#include "transformer/cuda/norm_rows.cuh"

namespace absorb::kernels {
namespace {

using namespace norm;

template <int group, int chunks, bool dropout>
__device__ __forceinline__ void add_output(const NormForward& a, const Mask& mask, int64_t row, Row<group, chunks>& x) {
#pragma unroll
  for (int c = 0; c < chunks; ++c) {
    const int column = column_of<group>(c);
    if (column >= a.width) continue;
    const int64_t i = row * a.width + column;
    Floats<4> y = unpack(load4(a.y, i));
    if (a.y_bias) {
      const Floats<4> bias = load4(a.y_bias, column);
#pragma unroll
      for (int k = 0; k < 4; ++k) y.at[k] += bias.at[k];
    }
    if constexpr (dropout) {
      const Floats<4> keep = mask.four(i);
#pragma unroll
      for (int k = 0; k < 4; ++k) y.at[k] *= keep.at[k];
    }
#pragma unroll
    for (int k = 0; k < 4; ++k) x.at[c].at[k] += y.at[k];
    store(a.x_out, i, x.at[c]);
  }
}

template <int group, int chunks, bool dropout>
__global__ void __launch_bounds__(threads)
    forward(const __grid_constant__ NormForward a, const __grid_constant__ RoundKeys keys) {
  __shared__ float shared[2][threads / 32];
  GroupSum<group> group_sum{shared};
  const int64_t row = static_cast<int64_t>(blockIdx.x) * (threads / group) + threadIdx.x / group;
  const bool live = row < a.rows;  // the others stay for the barriers
  const float share = 1.0f / static_cast<float>(a.width);
  Row<group, chunks> x;
  float sum = 0;
#pragma unroll
  for (int c = 0; c < chunks; ++c) {
    const int column = column_of<group>(c);
    x.at[c] = live && column < a.width ? load4(a.x, row * a.width + column) : Floats<4>{};
  }
  if (a.y && live) add_output<group, chunks, dropout>(a, Mask(a.dropout, keys), row, x);
#pragma unroll
  for (int c = 0; c < chunks; ++c) sum += (x.at[c].at[0] + x.at[c].at[1]) + (x.at[c].at[2] + x.at[c].at[3]);
  const float mean = group_sum(sum) * share;
  float squares = 0;
#pragma unroll
  for (int c = 0; c < chunks; ++c) {
    if (column_of<group>(c) >= a.width) continue;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      x.at[c].at[k] -= mean;
      squares = fmaf(x.at[c].at[k], x.at[c].at[k], squares);
    }
  }
  const float rstd = rsqrtf(group_sum(squares) * share + norm_epsilon);
  if (!live) return;
#pragma unroll
  for (int c = 0; c < chunks; ++c) {
    const int column = column_of<group>(c);
    if (column >= a.width) continue;
    const Floats<4> gamma = load4(a.gamma, column), beta = load4(a.beta, column);
    Floats<4> h;
#pragma unroll
    for (int k = 0; k < 4; ++k) h.at[k] = fmaf(x.at[c].at[k] * rstd, gamma.at[k], beta.at[k]);
    store(a.h, row * a.width + column, h);
  }
  if (threadIdx.x % group == 0) {
    a.mean[row] = mean;
    a.rstd[row] = rstd;
  }
}

}  // namespace

void norm_forward(const NormForward& call, void* stream) {
  if (call.rows == 0) return;
  const RoundKeys keys(call.dropout.key);
  with_row(call.width, [&]<int group, int chunks>() {
    const auto blocks = static_cast<unsigned>((call.rows + threads / group - 1) / (threads / group));
    if (call.y && call.dropout.threshold != 0)
      forward<group, chunks, true><<<blocks, threads, 0, stream_of(stream)>>>(call, keys);
    else
      forward<group, chunks, false><<<blocks, threads, 0, stream_of(stream)>>>(call, keys);
  });
  check_launch("norm_forward");
}

}  // namespace absorb::kernels
