// What the fused head's kernels have in common, and the end of its forward pass.
#include <cuda_runtime.h>

#include <algorithm>

#include "tensors/cuda/fast_math.cuh"
#include "tensors/cuda/launch.cuh"
#include "transformer/cuda/fused_head.cuh"
#include "transformer/cuda/fused_head_device.cuh"

namespace absorb::kernels {
namespace {

/// Losses and statistics of rows from the parts of their sums.
__global__ void __launch_bounds__(256)
    finish_rows(FusedHead call, const Partial* partials, int parts, int padded_rows) {
  const int row = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (row >= padded_rows) return;
  const int64_t target = row < call.rows ? call.targets[row] : -1;
  float loss = 0, log_sum = INFINITY;
  if (target >= 0) {
    float top = -INFINITY, sum = 0;
    for (int part = 0; part < parts; ++part)
      top = fmaxf(top, partials[static_cast<int64_t>(part) * padded_rows + row].largest);
    for (int part = 0; part < parts; ++part) {
      const Partial partial = partials[static_cast<int64_t>(part) * padded_rows + row];
      sum += partial.sum * exp2_fast((partial.largest - top) * log2_e);
    }
    log_sum = fmaf(top, log2_e, __log2f(sum));
    const uint32_t bits = call.logits[row * call.stride + target].bits;
    loss = (log_sum - __uint_as_float(bits << 16) * log2_e) * ln_2;
  }
  call.log_sums[row] = log_sum;
  call.word_targets[row] = static_cast<int32_t>(target);
  if (row < call.rows) call.losses[row] = loss;
}

}  // namespace

int head_clusters() {
  return device_attribute(cudaDevAttrMultiProcessorCount) / 2;
}

bool has_fused_head(int64_t vocabulary, int64_t width) {
  return device_attribute(cudaDevAttrComputeCapabilityMajor) == 9 && vocabulary >= 256 &&
         with_head_width(width, [&]<int>() {});
}

size_t fused_head_bytes(int64_t rows, int64_t width) {
  return static_cast<size_t>(most_head_parts) * std::max(static_cast<size_t>(rows * width) * sizeof(float),
                                                         static_cast<size_t>(padded_head_rows(rows)) * sizeof(Partial));
}

void finish_head_rows(const FusedHead& call, const Partial* partials, int parts, void* stream) {
  const auto padded = static_cast<int>(padded_head_rows(call.rows));
  finish_rows<<<static_cast<unsigned>((padded + 255) / 256), 256, 0, stream_of(stream)>>>(call, partials, parts,
                                                                                          padded);
  check_launch("head_forward");
}

}  // namespace absorb::kernels
