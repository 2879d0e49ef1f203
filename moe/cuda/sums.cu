// Column sums of each expert's rows: every expert's rows are dealt to a fixed number of blocks, whose sums a second
// launch adds in order.
#include <cuda_runtime.h>

#include "moe/cuda/dispatch.cuh"
#include "tensors/cuda/launch.cuh"
#include "tensors/cuda/vectors.cuh"

namespace absorb::kernels {
namespace {

constexpr int threads = 256;

// Rows of an expert are dealt to `slices` blocks, each of which leaves a sum per column.
constexpr int slices = 32, columns = 32, strands = threads / columns;  // a block: 32 vectors across, 8 rows at once

template <int vector>
__global__ void __launch_bounds__(threads)
    sum_slices(const Bf16* __restrict__ sorted, int64_t width, const int32_t* ends, float* partial) {
  const int expert = blockIdx.z, lane = threadIdx.x % columns, strand = threadIdx.x / columns;
  const int64_t c = (static_cast<int64_t>(blockIdx.x) * columns + lane) * vector;
  const int begin = expert ? ends[expert - 1] : 0, end = ends[expert];
  Floats<vector> sum = {};
  if (c < width) {
#pragma unroll 4
    for (int64_t p = begin + static_cast<int>(blockIdx.y) * strands + strand; p < end; p += slices * strands) {
      const Floats<vector> row = load<vector>(sorted + p * width + c);
#pragma unroll
      for (int i = 0; i < vector; ++i) sum.at[i] += row.at[i];
    }
  }
  __shared__ float shared[vector][strands][columns];
#pragma unroll
  for (int i = 0; i < vector; ++i) shared[i][strand][lane] = sum.at[i];
  __syncthreads();
  for (int i = strand; i < vector; i += strands) {
    float total = 0;
#pragma unroll
    for (int s = 0; s < strands; ++s) total += shared[i][s][lane];
    if (c < width) partial[(static_cast<int64_t>(expert) * slices + blockIdx.y) * width + c + i] = total;
  }
}

__global__ void __launch_bounds__(threads) add_slices(const float* partial, int64_t width, int64_t all, float* sums) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i >= all) return;
  const float* from = partial + i / width * slices * width + i % width;
  float total = 0;
#pragma unroll
  for (int s = 0; s < slices; ++s) total += from[s * width];
  sums[i] += total;
}

}  // namespace

int64_t grouped_sums_workspace(int64_t experts, int64_t width) {
  return experts * slices * width;
}

void grouped_sums(const Bf16* sorted, int64_t width, const int32_t* ends, int64_t experts, float* sums,
                  float* workspace, void* stream) {
  const bool is_wide = wide(width, {sorted});
  const int64_t across = columns * (is_wide ? 8 : 1);
  const dim3 grid(static_cast<unsigned>((width + across - 1) / across), slices, static_cast<unsigned>(experts));
  if (is_wide)
    sum_slices<8><<<grid, threads, 0, stream_of(stream)>>>(sorted, width, ends, workspace);
  else
    sum_slices<1><<<grid, threads, 0, stream_of(stream)>>>(sorted, width, ends, workspace);
  check_launch("grouped_sums: sum_slices");
  const int64_t all = experts * width;
  add_slices<<<static_cast<unsigned>((all + threads - 1) / threads), threads, 0, stream_of(stream)>>>(workspace, width,
                                                                                                      all, sums);
  check_launch("grouped_sums: add_slices");
}

}  // namespace absorb::kernels
