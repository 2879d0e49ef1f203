#include "tensors/cuda/column_sums.cuh"

#include <algorithm>

#include "tensors/cuda/launch.cuh"

namespace absorb::kernels {
namespace {

// A block adds up eight columns: two threads across, four columns each, and 128 down.
constexpr int threads = 256, across = 2, down = threads / across, columns = 4 * across, most_jobs = 24;

struct Jobs {
  int count = 0;
  unsigned first[most_jobs + 1] = {};  // blocks before job j
  ColumnSums job[most_jobs];
};

__device__ __forceinline__ void add(float4& sum, float4 x) {
  sum.x += x.x;
  sum.y += x.y;
  sum.z += x.z;
  sum.w += x.w;
}

/// The partials of a segment.
struct Span {
  int64_t begin = 0, end = 0;
  __device__ __forceinline__ Span(const ColumnSums& a, int64_t segment) : end(a.count) {
    if (!a.ends) return;
    const int64_t first = segment == 0 ? 0 : a.ends[segment - 1], last = a.ends[segment];
    begin = segment + first / a.rows_per_partial;
    end = last > first ? segment + (last - 1) / a.rows_per_partial + 1 : begin;
  }
};

__device__ __forceinline__ void add_to(const ColumnSums& a, int64_t segment, int64_t column, float sum) {
  if (a.out) {
    a.out[segment * a.width + column] += sum;
    return;
  }
  const int64_t third = a.width / 3;
  float* out = column < third ? a.thirds[0] : column < 2 * third ? a.thirds[1] : a.thirds[2];
  if (out) out[column % third] += sum;
}

__global__ void __launch_bounds__(threads) column_sums(const __grid_constant__ Jobs jobs) {
  __shared__ float shared[threads / 32][columns];
  int j = 0;
  while (blockIdx.x >= jobs.first[j + 1]) ++j;
  const ColumnSums& a = jobs.job[j];
  const int64_t tiles = (a.width + columns - 1) / columns, tile = blockIdx.x - jobs.first[j];
  const int64_t segment = tile / tiles, first = tile % tiles * columns, column = first + threadIdx.x % across * 4;
  const Span span(a, segment);
  if (span.begin == span.end) return;
  float4 sum = {0, 0, 0, 0};
  if (column < a.width) {
#pragma unroll 4
    for (int64_t p = span.begin + threadIdx.x / across; p < span.end; p += down)
      add(sum, *reinterpret_cast<const float4*>(a.partials + p * a.width + column));
  }
#pragma unroll
  for (int offset = 16; offset >= across; offset /= 2)
    add(sum, {__shfl_xor_sync(0xffffffffu, sum.x, offset), __shfl_xor_sync(0xffffffffu, sum.y, offset),
              __shfl_xor_sync(0xffffffffu, sum.z, offset), __shfl_xor_sync(0xffffffffu, sum.w, offset)});
  if (threadIdx.x % 32 < across) *reinterpret_cast<float4*>(&shared[threadIdx.x / 32][threadIdx.x % across * 4]) = sum;
  __syncthreads();
  if (threadIdx.x >= columns || first + threadIdx.x >= a.width) return;
  float total = 0;
#pragma unroll
  for (int warp = 0; warp < threads / 32; ++warp) total += shared[warp][threadIdx.x];
  add_to(a, segment, first + threadIdx.x, total);
}

}  // namespace

void add_column_sums(const ColumnSums* sums, int64_t count, void* stream) {
  for (int64_t begin = 0; begin < count; begin += most_jobs) {
    Jobs jobs;
    jobs.count = static_cast<int>(std::min<int64_t>(most_jobs, count - begin));
    for (int j = 0; j < jobs.count; ++j) {
      jobs.job[j] = sums[begin + j];
      const int64_t blocks = (jobs.job[j].width + columns - 1) / columns * jobs.job[j].segments;
      jobs.first[j + 1] = jobs.first[j] + static_cast<unsigned>(blocks);
    }
    if (jobs.first[jobs.count] == 0) continue;
    column_sums<<<jobs.first[jobs.count], threads, 0, stream_of(stream)>>>(jobs);
    check_launch("column_sums");
  }
}

}  // namespace absorb::kernels
