#include "router/cuda/balance.cuh"

#include <cuda_bf16.h>

#include "tensors/cuda/launch.cuh"

namespace absorb::kernels {
namespace {

constexpr int threads = 128, finish_threads = 256, most_blocks = 512,
              experts_max = static_cast<int>(most_balanced_experts);

int blocks_for(int64_t tokens) {
  const int64_t blocks = (tokens + threads - 1) / threads;
  return static_cast<int>(blocks < most_blocks ? blocks : most_blocks);
}

__device__ float score_at(const Balance& b, int64_t token, int expert) {
  const int64_t i = token * b.experts + expert;
  return b.scores ? b.scores[i] : __bfloat162float(reinterpret_cast<const __nv_bfloat16*>(b.scores_bf16)[i]);
}

// What the softmax is taken of.
__device__ float logit_of(const Balance& b, float score) {
  return b.sigmoid ? fminf(score, 0.0f) - log1pf(__expf(-fabsf(score))) : score;
}

struct Softmax {
  float largest, inverse_sum;
  __device__ float at(float logit) const { return __expf(logit - largest) * inverse_sum; }
};

__device__ Softmax softmax_of(const Balance& b, int64_t token) {
  float largest = -INFINITY, sum = 0;
  for (int e = 0; e < b.experts; ++e) largest = fmaxf(largest, logit_of(b, score_at(b, token, e)));
  for (int e = 0; e < b.experts; ++e) sum += __expf(logit_of(b, score_at(b, token, e)) - largest);
  return {largest, 1.0f / sum};
}

__device__ float choosing_score(const Balance& b, int64_t token, int expert) {
  const float score = score_at(b, token, expert) + (b.bias ? b.bias[expert] : 0.0f);
  return score == score ? score : -INFINITY;
}

__device__ bool is_kept(const Balance& b, int64_t token, int expert) {
  const float own = choosing_score(b, token, expert);
  int before = 0;
  for (int other = 0; other < b.experts; ++other) {
    const float score = choosing_score(b, token, other);
    before += score > own || (score == own && other < expert);
  }
  return before < b.kept;
}

// Sum over a block in a fixed order; valid in thread 0.
__device__ float block_sum(float x) {
  __shared__ float parts[threads / 32];
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_down_sync(~0u, x, offset);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
  __syncthreads();
  float sum = 0;
  for (int i = 0; i < threads / 32; ++i) sum += parts[i];
  __syncthreads();
  return sum;
}

// partials [blocks, 2, E]: sums of P and counts of kept over a block's tokens.
__global__ void __launch_bounds__(threads) sum_experts(const Balance b, float* partials) {
  for (int e = 0; e < b.experts; ++e) {
    float probability = 0, kept = 0;
    for (int64_t token = blockIdx.x * threads + threadIdx.x; token < b.tokens; token += gridDim.x * threads) {
      const Softmax softmax = softmax_of(b, token);
      probability += softmax.at(logit_of(b, score_at(b, token, e)));
      kept += is_kept(b, token, e) ? 1.0f : 0.0f;
    }
    const float p = block_sum(probability), n = block_sum(kept);
    if (threadIdx.x == 0) {
      partials[(blockIdx.x * 2 + 0) * b.experts + e] = p;
      partials[(blockIdx.x * 2 + 1) * b.experts + e] = n;
    }
  }
}

__device__ float warp_sum(float x) {
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(~0u, x, offset);
  return x;
}

// A warp an expert, in turns.
__global__ void __launch_bounds__(finish_threads)
    finish(const Balance b, int blocks, const float* partials, float* loss, float* share) {
  __shared__ float terms[experts_max];
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int e = static_cast<int>(threadIdx.x) / 32; e < b.experts; e += finish_threads / 32) {
    float probability = 0, kept = 0;
    for (int i = lane; i < blocks; i += 32) {
      probability += partials[(i * 2 + 0) * b.experts + e];
      kept += partials[(i * 2 + 1) * b.experts + e];
    }
    const float f = warp_sum(kept) / static_cast<float>(b.tokens * b.kept);
    const float mean = warp_sum(probability) / static_cast<float>(b.tokens);
    if (lane == 0) {
      share[e] = f;
      terms[e] = f * mean;
    }
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  float sum = 0;
  for (int i = 0; i < b.experts; ++i) sum += terms[i];
  loss[0] = static_cast<float>(b.experts) * sum;
}

// With p the softmax of l(s) and c = gradient E / N: d s_e = c l'(s_e) p_e (f_e - sum_j f_j p_j).
__global__ void __launch_bounds__(threads)
    scores_backward(const Balance b, const float* share, const float* gradient, float* dscores, Bf16* dscores_bf16) {
  const int64_t token = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (token >= b.tokens) return;
  const float c = gradient[0] * static_cast<float>(b.experts) / static_cast<float>(b.tokens);
  const Softmax softmax = softmax_of(b, token);
  float mean = 0;
  for (int e = 0; e < b.experts; ++e) mean += share[e] * softmax.at(logit_of(b, score_at(b, token, e)));
  for (int e = 0; e < b.experts; ++e) {
    const float score = score_at(b, token, e);
    const float slope = b.sigmoid ? 1.0f / (1.0f + __expf(score)) : 1.0f;
    const float d = c * slope * softmax.at(logit_of(b, score)) * (share[e] - mean);
    const int64_t i = token * b.experts + e;
    if (dscores)
      dscores[i] = d;
    else
      reinterpret_cast<__nv_bfloat16*>(dscores_bf16)[i] = __float2bfloat16(d);
  }
}

}  // namespace

int64_t balance_workspace(const Balance& balance) {
  return 2 * balance.experts * blocks_for(balance.tokens);
}

void balance_forward(const Balance& balance, float* workspace, float* loss, float* share, void* stream) {
  const int blocks = blocks_for(balance.tokens);
  sum_experts<<<blocks, threads, 0, stream_of(stream)>>>(balance, workspace);
  finish<<<1, finish_threads, 0, stream_of(stream)>>>(balance, blocks, workspace, loss, share);
  check_launch("balance_forward");
}

void balance_backward(const Balance& balance, const float* share, const float* gradient, float* dscores,
                      Bf16* dscores_bf16, void* stream) {
  const auto blocks = static_cast<unsigned>((balance.tokens + threads - 1) / threads);
  scores_backward<<<blocks, threads, 0, stream_of(stream)>>>(balance, share, gradient, dscores, dscores_bf16);
  check_launch("balance_backward");
}

}  // namespace absorb::kernels
