// A block takes a row. Its threads copy their own vectors of eight logits to shared memory (a row of 50,304 is 98 KB,
// so two blocks share a multiprocessor: one computes while the other waits for memory) and sum exponentials as they
// arrive; nobody reads another thread's vectors, so the only barriers are the two sums over the block. Short rows take
// a warp and its registers; rows that don't fit are read twice.
#include "transformer/cuda/head.cuh"

#include <cuda_pipeline_primitives.h>

#include <algorithm>
#include <stdexcept>

#include "tensors/cuda/fast_math.cuh"
#include "tensors/cuda/launch.cuh"
#include "tensors/cuda/vectors.cuh"

namespace absorb::kernels {
namespace {

constexpr float lowest = -1e30f;

/// The largest logit seen and the sum of exp(logit - largest).
struct Running {
  float largest = lowest, sum = 0;
  __device__ __forceinline__ void add(const Floats<8>& x) {
    const float top = fmaxf(fmaxf(fmaxf(x.at[0], x.at[1]), fmaxf(x.at[2], x.at[3])),
                            fmaxf(fmaxf(x.at[4], x.at[5]), fmaxf(x.at[6], x.at[7])));
    if (top > largest) {
      sum *= exp2_fast((largest - top) * log2_e);
      largest = top;
    }
    const float shift = -largest * log2_e;
    float more[2] = {0, 0};
#pragma unroll
    for (int k = 0; k < 8; ++k) more[k % 2] += exp2_fast(fmaf(x.at[k], log2_e, shift));
    sum += more[0] + more[1];
  }
  __device__ __forceinline__ void merge(float other_largest, float other_sum) {
    const float top = fmaxf(largest, other_largest);
    sum = sum * exp2_fast((largest - top) * log2_e) + other_sum * exp2_fast((other_largest - top) * log2_e);
    largest = top;
  }
  __device__ __forceinline__ void merge_warp() {
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) {
      const float other_largest = __shfl_xor_sync(0xffffffffu, largest, offset);
      merge(other_largest, __shfl_xor_sync(0xffffffffu, sum, offset));
    }
  }
  __device__ __forceinline__ float log_sum() const {
    return largest + __log2f(sum) * ln_2;
  }
};

/// Eight logits of vector v, the padding as minus infinity.
__device__ __forceinline__ Floats<8> masked(uint4 stored, int v, int vocabulary) {
  Floats<8> x = unpack(stored);
  if (v * 8 + 8 > vocabulary)
#pragma unroll
    for (int k = 0; k < 8; ++k)
      if (v * 8 + k >= vocabulary) x.at[k] = -INFINITY;
  return x;
}

/// softmax - onehot of vector v.
__device__ __forceinline__ uint4 gradient_of(const Floats<8>& x, float log_sum, int v, int target) {
  const float shift = -log_sum * log2_e;
  Floats<8> p;
#pragma unroll
  for (int k = 0; k < 8; ++k) p.at[k] = exp2_fast(fmaf(x.at[k], log2_e, shift));
  if (target / 8 == v)
#pragma unroll
    for (int k = 0; k < 8; ++k)
      if (v * 8 + k == target) p.at[k] -= 1.0f;
  return pack(p);
}

__device__ __forceinline__ float logit(const HeadLoss& a, int64_t row, int64_t target) {
  return __uint_as_float(static_cast<uint32_t>(a.logits[row * a.stride + target].bits) << 16);
}

/// The block's log sum exp, known to all of its threads.
__device__ __forceinline__ float block_log_sum(Running running) {
  __shared__ float largest[32], sum[32];
  running.merge_warp();
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  if (lane == 0) {
    largest[warp] = running.largest;
    sum[warp] = running.sum;
  }
  __syncthreads();
  const bool there = lane < static_cast<int>(blockDim.x) / 32;
  running.largest = there ? largest[lane] : lowest;
  running.sum = there ? sum[lane] : 0.0f;
  running.merge_warp();
  return running.log_sum();
}

__device__ __forceinline__ void write_zeros(const HeadLoss& a, int64_t row) {
  if (threadIdx.x == 0) a.losses[row] = 0;
  if (!a.gradient) return;
  uint4* vectors = reinterpret_cast<uint4*>(a.logits + row * a.stride);
  for (int v = static_cast<int>(threadIdx.x); v < a.stride / 8; v += static_cast<int>(blockDim.x)) vectors[v] = uint4{};
}

constexpr int most_threads = 1024;
// A multiprocessor of compute capability 8.0 or 9.0 holds 2,048 threads, others 1,536.
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ == 800 || __CUDA_ARCH__ == 900
constexpr int row_blocks = 2;
#else
constexpr int row_blocks = 1;
#endif

__global__ void __launch_bounds__(most_threads, row_blocks) row_in_shared(HeadLoss a) {
  extern __shared__ uint4 kept[];
  const int64_t row = blockIdx.x;
  const int count = static_cast<int>(a.stride / 8), vocabulary = static_cast<int>(a.vocabulary);
  const int threads = static_cast<int>(blockDim.x), first = static_cast<int>(threadIdx.x);
  const int64_t target = a.targets[row];
  if (target < 0) return write_zeros(a, row);
  uint4* vectors = reinterpret_cast<uint4*>(a.logits + row * a.stride);
  for (int v = first; v < count; v += threads) {
    __pipeline_memcpy_async(kept + v, vectors + v, 16);
    __pipeline_commit();
  }
  const float chosen = first == 0 ? logit(a, row, target) : 0.0f;  // before anything is overwritten
  Running running;
  int v = first;
  // What arrived first is summed while the last four are on their way.
  const int own = (count - first + threads - 1) / threads, early = own - 4;
  if (early > 0) {
    __pipeline_wait_prior(4);
    for (int i = 0; i < early; ++i, v += threads) running.add(masked(kept[v], v, vocabulary));
  }
  __pipeline_wait_prior(0);
  for (; v < count; v += threads) running.add(masked(kept[v], v, vocabulary));
  const float log_sum = block_log_sum(running);
  if (first == 0) a.losses[row] = log_sum - chosen;
  if (!a.gradient) return;
  for (v = first; v < count; v += threads)
    vectors[v] = gradient_of(masked(kept[v], v, vocabulary), log_sum, v, static_cast<int>(target));
}

/// For rows that don't fit in shared memory.
__global__ void __launch_bounds__(most_threads) row_read_twice(HeadLoss a) {
  const int64_t row = blockIdx.x, target = a.targets[row];
  if (target < 0) return write_zeros(a, row);
  const int count = static_cast<int>(a.stride / 8), vocabulary = static_cast<int>(a.vocabulary);
  uint4* vectors = reinterpret_cast<uint4*>(a.logits + row * a.stride);
  const float chosen = threadIdx.x == 0 ? logit(a, row, target) : 0.0f;
  Running running;
#pragma unroll 4
  for (int v = static_cast<int>(threadIdx.x); v < count; v += static_cast<int>(blockDim.x))
    running.add(masked(vectors[v], v, vocabulary));
  const float log_sum = block_log_sum(running);
  if (threadIdx.x == 0) a.losses[row] = log_sum - chosen;
  if (!a.gradient) return;
#pragma unroll 4
  for (int v = static_cast<int>(threadIdx.x); v < count; v += static_cast<int>(blockDim.x))
    vectors[v] = gradient_of(masked(vectors[v], v, vocabulary), log_sum, v, static_cast<int>(target));
}

constexpr int warp_vectors = 4, warp_threads = 256;  // vectors a lane keeps in registers: strides up to 1024

__global__ void __launch_bounds__(warp_threads) row_in_warp(HeadLoss a) {
  const int64_t row = (static_cast<int64_t>(blockIdx.x) * warp_threads + threadIdx.x) / 32;
  if (row >= a.rows) return;
  const int lane = static_cast<int>(threadIdx.x) % 32, count = static_cast<int>(a.stride / 8);
  const int vocabulary = static_cast<int>(a.vocabulary);
  const int64_t target = a.targets[row];
  uint4* vectors = reinterpret_cast<uint4*>(a.logits + row * a.stride);
  uint4 kept[warp_vectors];
#pragma unroll
  for (int i = 0; i < warp_vectors; ++i) kept[i] = i * 32 + lane < count ? vectors[i * 32 + lane] : uint4{};
  const float chosen = target < 0 ? 0.0f : logit(a, row, target);
  Running running;
#pragma unroll
  for (int i = 0; i < warp_vectors; ++i)
    if (i * 32 + lane < count) running.add(masked(kept[i], i * 32 + lane, vocabulary));
  running.merge_warp();
  const float log_sum = running.log_sum();
  if (lane == 0) a.losses[row] = target < 0 ? 0.0f : log_sum - chosen;
  __syncwarp();  // all lanes have read the target's logit
  if (!a.gradient) return;
#pragma unroll
  for (int i = 0; i < warp_vectors; ++i) {
    const int v = i * 32 + lane;
    if (v >= count) continue;
    vectors[v] =
        target < 0 ? uint4{} : gradient_of(masked(kept[i], v, vocabulary), log_sum, v, static_cast<int>(target));
  }
}

/// Shared memory that a block may have, asked of the device once for each.
int most_shared() {
  static thread_local int known_device = -1, known = 0;
  int device = 0;
  cudaGetDevice(&device);
  if (device != known_device) {
    cudaDeviceGetAttribute(&known, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
    cudaFuncSetAttribute(row_in_shared, cudaFuncAttributeMaxDynamicSharedMemorySize, known - 512);
    check_launch("head_loss");
    known_device = device;
  }
  return known - 512;
}

__global__ void __launch_bounds__(256)
    scale_rows_kernel(const Bf16* h, const float* scale, Bf16* out, int64_t vectors, int64_t across) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= vectors) return;
  Floats<8> x = unpack(load8(h, i * 8));
  const float by = scale[static_cast<uint32_t>(i) / static_cast<uint32_t>(across)];
#pragma unroll
  for (int k = 0; k < 8; ++k) x.at[k] *= by;
  store(out, i * 8, x);
}

}  // namespace

void head_loss(const HeadLoss& call, void* stream) {
  if (call.stride % 8 != 0 || call.stride < call.vocabulary)
    throw std::runtime_error("head_loss: the stride is a multiple of 8 and holds the vocabulary");
  if (call.rows == 0) return;
  const int64_t vectors = call.stride / 8;
  if (vectors <= warp_vectors * 32) {
    const auto blocks = static_cast<unsigned>((call.rows + warp_threads / 32 - 1) / (warp_threads / 32));
    row_in_warp<<<blocks, warp_threads, 0, stream_of(stream)>>>(call);
  } else {
    const auto threads =
        static_cast<unsigned>(std::min<int64_t>(most_threads, std::max<int64_t>(128, vectors / 6 / 32 * 32)));
    const int64_t bytes = call.stride * 2;
    if (bytes <= most_shared())
      row_in_shared<<<static_cast<unsigned>(call.rows), threads, static_cast<unsigned>(bytes), stream_of(stream)>>>(
          call);
    else
      row_read_twice<<<static_cast<unsigned>(call.rows), most_threads, 0, stream_of(stream)>>>(call);
  }
  check_launch("head_loss");
}

void scale_rows(const Bf16* h, const float* scale, Bf16* out, int64_t rows, int64_t width, void* stream) {
  if (width % 8 != 0) throw std::runtime_error("scale_rows: widths are multiples of 8");
  const int64_t vectors = rows * width / 8;
  if (vectors == 0) return;
  scale_rows_kernel<<<static_cast<unsigned>((vectors + 255) / 256), 256, 0, stream_of(stream)>>>(h, scale, out, vectors,
                                                                                                 width / 8);
  check_launch("scale_rows");
}

}  // namespace absorb::kernels
