// A token takes a group of lanes, the next power of two above E and 32 at most (then each lane has two experts). A
// lane finds the rank of its own score by looking at all others: kept where the rank is below K, no sorting, and the
// place in ascending order is the number of kept lanes below.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <stdexcept>
#include <type_traits>

#include "moe/cuda/route.cuh"
#include "tensors/cuda/launch.cuh"

namespace absorb::kernels {
namespace {

constexpr int threads = 256;

template <int width, class Add>
__device__ __forceinline__ float group_reduce(float x, Add add) {
#pragma unroll
  for (int step = width / 2; step > 0; step /= 2) x = add(x, __shfl_xor_sync(0xffffffffu, x, step, width));
  return x;
}

template <int width>
__device__ __forceinline__ float group_sum(float x) {
  return group_reduce<width>(x, [](float a, float b) { return a + b; });
}

template <int width>
__device__ __forceinline__ float group_max(float x) {
  return group_reduce<width>(x, [](float a, float b) { return fmaxf(a, b); });
}

__device__ __forceinline__ float score_of(const RouteExperts& r, int64_t token, int expert) {
  if (expert >= r.experts) return -INFINITY;
  const int64_t i = token * r.stride + expert;
  return r.scores ? r.scores[i] : __bfloat162float(reinterpret_cast<const __nv_bfloat16*>(r.scores_bf16)[i]);
}

// What an order can hold: NaN counts as -inf.
__device__ __forceinline__ float choosing(const RouteExperts& r, float score, int expert) {
  const float s = r.bias && expert < r.experts ? score + r.bias[expert] : score;
  return isnan(s) ? -INFINITY : s;
}

// exp(score - max) / sum over the experts `in`; 0 everywhere where that is nothing but -inf and `may_be_empty`.
template <int width, int per>
__device__ __forceinline__ void softmax(const float (&score)[per], const bool (&in)[per], bool may_be_empty,
                                        float (&out)[per]) {
  float top = -INFINITY, sum = 0;
#pragma unroll
  for (int i = 0; i < per; ++i) top = in[i] ? fmaxf(top, score[i]) : top;
  top = group_max<width>(top);
#pragma unroll
  for (int i = 0; i < per; ++i) {
    out[i] = in[i] ? expf(score[i] - top) : 0.0f;
    sum += out[i];
  }
  sum = group_sum<width>(sum);
#pragma unroll
  for (int i = 0; i < per; ++i) out[i] = may_be_empty && top == -INFINITY ? 0.0f : out[i] / sum;
}

// Bits of the group's lanes among which `set` holds, shifted to bit 0.
template <int width>
__device__ __forceinline__ uint32_t group_ballot(bool set) {
  const uint32_t all = __ballot_sync(0xffffffffu, set);
  return (all >> (threadIdx.x % 32 / width * width)) & (0xffffffffu >> (32 - width));
}

template <int width, int per>
__global__ void __launch_bounds__(threads) choose(RouteExperts r, int32_t* kept, float* weights) {
  const int lane = threadIdx.x % width;
  const int64_t place = (static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x) / width;
  const int64_t token = place < r.tokens ? place : r.tokens - 1;  // the last group's lanes stay for the shuffles
  float score[per], order[per], w[per];
  bool mine[per], real[per];
  int rank[per];
#pragma unroll
  for (int i = 0; i < per; ++i) {
    score[i] = score_of(r, token, i * width + lane);
    order[i] = choosing(r, score[i], i * width + lane);
    real[i] = i * width + lane < r.experts;
    rank[i] = 0;
  }
#pragma unroll
  for (int j = 0; j < per; ++j)
    for (int other = 0; other < width; ++other) {
      const float theirs = __shfl_sync(0xffffffffu, order[j], other, width);
#pragma unroll
      for (int i = 0; i < per; ++i)
        rank[i] += theirs > order[i] || (theirs == order[i] && j * width + other < i * width + lane);
    }
#pragma unroll
  for (int i = 0; i < per; ++i) mine[i] = real[i] && rank[i] < r.kept;
  if (r.weight == ExpertWeight::softmax) softmax<width, per>(score, real, false, w);
  if (r.weight == ExpertWeight::softmax_kept) softmax<width, per>(score, mine, true, w);
  int slot = 0;
#pragma unroll
  for (int i = 0; i < per; ++i) {
    const uint32_t bits = group_ballot<width>(mine[i]);
    if (r.weight == ExpertWeight::one) w[i] = 1;
    if (r.weight == ExpertWeight::mean) w[i] = 1.0f / static_cast<float>(r.kept);
    if (r.weight == ExpertWeight::sigmoid) w[i] = 1.0f / (1.0f + expf(-score[i]));
    if (mine[i] && place < r.tokens) {
      const int64_t to = token * r.kept + slot + __popc(bits & ((1u << lane) - 1));
      kept[to] = i * width + lane;
      weights[to] = w[i];
    }
    slot += __popc(bits);
  }
}

// This lane's experts' entries of a [N,K] array, 0 where not kept.
template <int width, int per>
__device__ __forceinline__ void find_kept(const RouteExperts& r, const RouteExpertsBackward& b, int64_t token,
                                          float (&w)[per], float (&dw)[per], bool (&mine)[per]) {
  const int lane = threadIdx.x % width;
#pragma unroll
  for (int i = 0; i < per; ++i) {
    w[i] = dw[i] = 0;
    mine[i] = false;
  }
  for (int64_t at = token * r.kept; at < (token + 1) * r.kept; ++at) {
    const int expert = b.kept[at];
#pragma unroll
    for (int i = 0; i < per; ++i)
      if (expert == i * width + lane) {
        mine[i] = true;
        w[i] = b.weights[at];
        dw[i] = b.dweights[at];
      }
  }
}

template <int width, int per>
__global__ void __launch_bounds__(threads) choose_backward(RouteExperts r, RouteExpertsBackward b) {
  const int lane = threadIdx.x % width;
  const int64_t place = (static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x) / width;
  const int64_t token = place < r.tokens ? place : r.tokens - 1;
  float w[per], dw[per], p[per], ds[per];
  bool mine[per], real[per];
  find_kept<width, per>(r, b, token, w, dw, mine);
#pragma unroll
  for (int i = 0; i < per; ++i) {
    p[i] = w[i];
    ds[i] = 0;
    real[i] = i * width + lane < r.experts;
  }
  if (r.weight == ExpertWeight::softmax) {
    float score[per];
#pragma unroll
    for (int i = 0; i < per; ++i) score[i] = score_of(r, token, i * width + lane);
    softmax<width, per>(score, real, false, p);
  }
  if (r.weight == ExpertWeight::softmax || r.weight == ExpertWeight::softmax_kept) {
    float mean = 0;
#pragma unroll
    for (int i = 0; i < per; ++i) mean += dw[i] * p[i];
    mean = group_sum<width>(mean);
#pragma unroll
    for (int i = 0; i < per; ++i) ds[i] = p[i] * (dw[i] - mean);
  } else if (r.weight == ExpertWeight::sigmoid) {
#pragma unroll
    for (int i = 0; i < per; ++i) ds[i] = dw[i] * w[i] * (1 - w[i]);
  }
#pragma unroll
  for (int i = 0; i < per; ++i) {
    if (!real[i] || place >= r.tokens) continue;
    const int64_t to = token * r.experts + i * width + lane;
    if (b.dscores) b.dscores[to] = ds[i];
    if (b.dscores_bf16) reinterpret_cast<__nv_bfloat16*>(b.dscores_bf16)[to] = __float2bfloat16(ds[i]);
  }
}

template <class Launch>
void with_width(int64_t experts, Launch launch) {
  if (experts <= 4)
    launch(std::integral_constant<int, 4>(), std::integral_constant<int, 1>());
  else if (experts <= 8)
    launch(std::integral_constant<int, 8>(), std::integral_constant<int, 1>());
  else if (experts <= 16)
    launch(std::integral_constant<int, 16>(), std::integral_constant<int, 1>());
  else if (experts <= 32)
    launch(std::integral_constant<int, 32>(), std::integral_constant<int, 1>());
  else
    launch(std::integral_constant<int, 32>(), std::integral_constant<int, 2>());
}

RouteExperts checked(RouteExperts r) {
  if (r.experts < 1 || r.experts > most_routed_experts || r.kept < 1 || r.kept > r.experts)
    throw std::runtime_error("route_experts: 1 <= K <= E <= 64 must hold");
  if (r.stride == 0) r.stride = r.experts;
  return r;
}

unsigned blocks_for(int64_t tokens, int width) {
  return static_cast<unsigned>((tokens * width + threads - 1) / threads);
}

}  // namespace

void route_experts(const RouteExperts& route, int32_t* kept, float* weights, void* stream) {
  if (route.tokens == 0) return;
  const RouteExperts r = checked(route);
  with_width(r.experts, [&](auto width, auto per) {
    choose<width(), per()><<<blocks_for(r.tokens, width()), threads, 0, stream_of(stream)>>>(r, kept, weights);
  });
  check_launch("route_experts");
}

void route_experts_backward(const RouteExperts& route, const RouteExpertsBackward& backward, void* stream) {
  if (route.tokens == 0) return;
  const RouteExperts r = checked(route);
  with_width(r.experts, [&](auto width, auto per) {
    choose_backward<width(), per()><<<blocks_for(r.tokens, width()), threads, 0, stream_of(stream)>>>(r, backward);
  });
  check_launch("route_experts_backward");
}

}  // namespace absorb::kernels
