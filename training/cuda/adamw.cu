// Both launches walk tiles of 1024 numbers. A tile within one range (nearly all
// are) takes one ratio; a tile that ranges cut looks it up for each number. Partial sums of squares are fp32 within a
// block and double across blocks; every block of the second launch adds them up itself, in the same order.
#include "training/cuda/adamw.cuh"

#include <cuda_bf16.h>

#include <cmath>

#include "tensors/cuda/launch.cuh"

namespace absorb::kernels {
namespace {

constexpr int threads = 256, per_thread = 4, tile = threads * per_thread;
constexpr int blocks = 528;  // fixed: the order of sums doesn't depend on the card

/// The ranges, and the one that the last tile began in: tiles come in order, so that it is seldom looked up.
struct Ranges {
  const AdamWRange* ranges;
  int64_t count;
  AdamWRange current = {};
  /// The range that has number i, with i within the buffers.
  __device__ __forceinline__ AdamWRange at(int64_t i) const {
    int64_t low = 0, high = count - 1;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (ranges[middle].end > i)
        high = middle;
      else
        low = middle + 1;
    }
    return ranges[low];
  }
};

/// Ratio of each of a thread's numbers.
struct Ratios {
  float at[per_thread];
  __device__ __forceinline__ Ratios(Ranges& ranges, int64_t begin, int64_t end, int64_t mine) : at{} {
    if (begin >= ranges.current.end) ranges.current = ranges.at(begin);
#pragma unroll
    for (int k = 0; k < per_thread; ++k)
      if (ranges.current.end >= end)
        at[k] = ranges.current.ratio;
      else if (mine + k < end)
        at[k] = ranges.at(mine + k).ratio;
  }
};

/// A thread's numbers; beyond `count` they are 0 and aren't stored.
__device__ __forceinline__ float4 load(const float* p, int64_t i, int64_t count) {
  if (i + per_thread <= count) return *reinterpret_cast<const float4*>(p + i);
  float4 x = {0, 0, 0, 0};
  if (i < count) x.x = p[i];
  if (i + 1 < count) x.y = p[i + 1];
  if (i + 2 < count) x.z = p[i + 2];
  return x;
}

__device__ __forceinline__ void store(float* p, int64_t i, int64_t count, float4 x) {
  if (i + per_thread <= count) {
    *reinterpret_cast<float4*>(p + i) = x;
    return;
  }
  if (i < count) p[i] = x.x;
  if (i + 1 < count) p[i + 1] = x.y;
  if (i + 2 < count) p[i + 2] = x.z;
}

template <class T>
__device__ __forceinline__ T warp_sum(T x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
  return x;
}

/// Sum over the block, known to all.
template <class T>
__device__ __forceinline__ T block_sum(T x) {
  __shared__ T shared[threads / 32];
  x = warp_sum(x);
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = x;
  __syncthreads();
  x = 0;
#pragma unroll
  for (int w = 0; w < threads / 32; ++w) x += shared[w];
  return x;
}

/// What the first launch leaves to the second, in the workspace.
struct Found {
  double partials[blocks];
  float correction1, root_correction2;  // 1 - beta1^count, sqrt(1 - beta2^count)
};

__device__ void count_step(const AdamWStep& a, Found* found) {
  const float steps = *a.steps + 1;
  *a.steps = steps;
  found->correction1 = static_cast<float>(1 - pow(a.beta1, static_cast<double>(steps)));
  found->root_correction2 = static_cast<float>(sqrt(1 - pow(a.beta2, static_cast<double>(steps))));
}

__global__ void __launch_bounds__(threads) sum_squares(AdamWStep a) {
  auto* found = static_cast<Found*>(a.workspace);
  if (blockIdx.x == 0 && threadIdx.x == 0) count_step(a, found);
  Ranges ranges{a.ranges, a.range_count};
  float sum = 0;
  constexpr int together = 4;  // tiles asked for at once
  for (int64_t begin = static_cast<int64_t>(blockIdx.x) * together * tile; begin < a.count;
       begin += blocks * together * tile) {
    float4 g[together];
#pragma unroll
    for (int k = 0; k < together; ++k) g[k] = load(a.gradient, begin + k * tile + threadIdx.x * per_thread, a.count);
#pragma unroll
    for (int k = 0; k < together; ++k) {
      const int64_t first = begin + k * tile;
      if (first >= a.count) break;
      const Ratios ratio(ranges, first, min(first + tile, a.count), first + threadIdx.x * per_thread);
      sum += (ratio.at[0] != 0 ? g[k].x * g[k].x : 0.0f) + (ratio.at[1] != 0 ? g[k].y * g[k].y : 0.0f);
      sum += (ratio.at[2] != 0 ? g[k].z * g[k].z : 0.0f) + (ratio.at[3] != 0 ? g[k].w * g[k].w : 0.0f);
    }
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) found->partials[blockIdx.x] = sum;
}

__device__ __forceinline__ float norm_of(const double* partials) {
  double sum = 0;
  for (int b = static_cast<int>(threadIdx.x); b < blocks; b += threads) sum += partials[b];
  return static_cast<float>(sqrt(block_sum(sum)));
}

/// What is the same for every number.
struct Constants {
  float rate, factor, beta1, rest1, beta2, rest2, decay, epsilon, correction1, root_correction2;
  __device__ __forceinline__ Constants(const AdamWStep& a, const Found& found, float norm)
      : rate(*a.rate),
        factor(1),
        beta1(static_cast<float>(a.beta1)),
        rest1(static_cast<float>(1 - a.beta1)),
        beta2(static_cast<float>(a.beta2)),
        rest2(static_cast<float>(1 - a.beta2)),
        decay(static_cast<float>(a.weight_decay)),
        epsilon(static_cast<float>(a.epsilon)),
        correction1(found.correction1),
        root_correction2(found.root_correction2) {
    if (a.clip > 0) {
      factor = static_cast<float>(a.clip) / (norm + 1e-6f);
      if (factor > 1) factor = 1;  // a norm that is no number stays one
    }
  }
};

struct Number {
  float value, gradient, first, second;
};

__device__ __forceinline__ void step(Number& x, const Constants& c, float ratio) {
  const float rate = c.rate * ratio, g = x.gradient * c.factor;
  x.value -= rate * c.decay * x.value;
  x.first = fmaf(c.rest1, g, c.beta1 * x.first);
  x.second = fmaf(c.rest2 * g, g, c.beta2 * x.second);
  x.value -= rate / c.correction1 * x.first / (sqrtf(x.second) / c.root_correction2 + c.epsilon);
}

__device__ __forceinline__ uint16_t bits_of(float x) {
  return __bfloat16_as_ushort(__float2bfloat16_rn(x));
}

__device__ __forceinline__ void store_shadow(Bf16* shadow, int64_t i, int64_t count, float4 x, const Ratios& ratio) {
  const ushort4 bits = {bits_of(x.x), bits_of(x.y), bits_of(x.z), bits_of(x.w)};
  const bool all = ratio.at[0] != 0 && ratio.at[1] != 0 && ratio.at[2] != 0 && ratio.at[3] != 0;
  if (all && i + per_thread <= count) {
    *reinterpret_cast<ushort4*>(shadow + i) = bits;
    return;
  }
  if (i < count && ratio.at[0] != 0) shadow[i].bits = bits.x;
  if (i + 1 < count && ratio.at[1] != 0) shadow[i + 1].bits = bits.y;
  if (i + 2 < count && ratio.at[2] != 0) shadow[i + 2].bits = bits.z;
  if (i + 3 < count && ratio.at[3] != 0) shadow[i + 3].bits = bits.w;
}

__device__ __forceinline__ void update_four(const AdamWStep& a, const Constants& c, const Ratios& ratio, int64_t i,
                                            float4 p, float4 g, float4 m, float4 v) {
  Number x[per_thread] = {{p.x, g.x, m.x, v.x}, {p.y, g.y, m.y, v.y}, {p.z, g.z, m.z, v.z}, {p.w, g.w, m.w, v.w}};
#pragma unroll
  for (int k = 0; k < per_thread; ++k) {
    if (ratio.at[k] != 0)
      step(x[k], c, ratio.at[k]);
    else
      x[k].gradient = 0;
    if (a.zero_gradient) x[k].gradient = 0;
  }
  p = {x[0].value, x[1].value, x[2].value, x[3].value};
  store(a.values, i, a.count, p);
  store(a.first, i, a.count, {x[0].first, x[1].first, x[2].first, x[3].first});
  store(a.second, i, a.count, {x[0].second, x[1].second, x[2].second, x[3].second});
  const bool idle = ratio.at[0] == 0 || ratio.at[1] == 0 || ratio.at[2] == 0 || ratio.at[3] == 0;
  if (a.zero_gradient || idle)
    store(a.gradient, i, a.count, {x[0].gradient, x[1].gradient, x[2].gradient, x[3].gradient});
  if (a.shadow) store_shadow(a.shadow, i, a.count, p, ratio);
}

__global__ void __launch_bounds__(threads, 4) update(AdamWStep a) {
  const auto* found = static_cast<const Found*>(a.workspace);
  const float norm = norm_of(found->partials);
  if (a.norm && blockIdx.x == 0 && threadIdx.x == 0) *a.norm = norm;
  const Constants c(a, *found, norm);
  Ranges ranges{a.ranges, a.range_count};
  for (int64_t begin = static_cast<int64_t>(blockIdx.x) * tile; begin < a.count; begin += blocks * tile) {
    const int64_t i = begin + threadIdx.x * per_thread;
    const float4 p = load(a.values, i, a.count), g = load(a.gradient, i, a.count);
    const float4 m = load(a.first, i, a.count), v = load(a.second, i, a.count);
    const Ratios ratio(ranges, begin, min(begin + tile, a.count), i);
    update_four(a, c, ratio, i, p, g, m, v);
  }
}

}  // namespace

void adamw_step(const AdamWStep& call, void* stream) {
  if (call.count == 0) return;
  sum_squares<<<blocks, threads, 0, stream_of(stream)>>>(call);
  update<<<blocks, threads, 0, stream_of(stream)>>>(call);
  check_launch("adamw_step");
}

size_t adamw_bytes() {
  return sizeof(Found);
}

}  // namespace absorb::kernels
