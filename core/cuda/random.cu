// One thread a Philox block of four elements; the arithmetic is random.cuh's, shared with the CPU.
#include <cuda_runtime.h>

#include <stdexcept>

#include "core/cuda/random.cuh"

namespace absorb::philox {
namespace {

__global__ void fill(Kind kind, float* out, int64_t n, uint64_t key, const int64_t* step, uint32_t threshold,
                     float scale) {
  const int64_t index = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (4 * index >= n) return;
  const Block words = block(key, step ? static_cast<uint64_t>(*step) : 0, static_cast<uint64_t>(index));
  for (int lane = 0; lane < 4; ++lane) {
    const int64_t i = 4 * index + lane;
    if (i >= n) return;
    const uint32_t bits = words.word[lane];
    out[i] = kind == Kind::uniform ? to_uniform(bits)
             : kind == Kind::gauss ? to_gauss(bits)
                                   : to_dropout(bits, threshold, scale);
  }
}

}  // namespace

void fill_cuda(Kind kind, float* out, int64_t n, uint64_t key, const int64_t* step, uint32_t threshold, float scale,
               void* stream) {
  if (n == 0) return;
  constexpr int threads = 256;
  const int64_t blocks = ((n + 3) / 4 + threads - 1) / threads;
  fill<<<static_cast<unsigned>(blocks), threads, 0, static_cast<cudaStream_t>(stream)>>>(kind, out, n, key, step,
                                                                                         threshold, scale);
  if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess)
    throw std::runtime_error(cudaGetErrorString(error));
}

}  // namespace absorb::philox
