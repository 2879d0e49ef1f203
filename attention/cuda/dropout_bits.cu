#include "attention/cuda/dropout_bits.cuh"

#include "core/cuda/launch.cuh"
#include "core/cuda/random.cuh"

namespace absorb::kernels::attend {
namespace {

constexpr int threads = 128;

// A thread a word, whose first element begins a block of four: so it is where T is a multiple of four.
__device__ uint32_t aligned_word(const Dropout& dropout, uint64_t step, uint64_t block0) {
  uint32_t bits = 0;
#pragma unroll 4
  for (int i = 0; i < 8; ++i) {
    const philox::Block words = philox::block(dropout.key, step, block0 + static_cast<uint64_t>(i));
    uint32_t four = 0;
#pragma unroll
    for (int j = 0; j < 4; ++j) four |= static_cast<uint32_t>(words.word[j] >= dropout.threshold) << j;
    bits |= four << (4 * i);
  }
  return bits;
}

// The first element may lie anywhere in a block.
__device__ uint32_t word_of(const Dropout& dropout, uint64_t step, uint64_t first) {
  uint32_t bits = 0;
  const uint64_t block0 = first / 4;
  const int phase = static_cast<int>(first % 4);
  if (phase == 0) return aligned_word(dropout, step, block0);
#pragma unroll 1
  for (int i = 0; i < 9; ++i) {
    const philox::Block words = philox::block(dropout.key, step, block0 + static_cast<uint64_t>(i));
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int place = 4 * i + j - phase;
      if (place >= 0 && place < 32) bits |= static_cast<uint32_t>(words.word[j] >= dropout.threshold) << place;
    }
  }
  return bits;
}

__global__ void __launch_bounds__(threads) draw(const Dropout dropout, int64_t rows, int items, uint32_t* bits) {
  const int words = words_of(items);
  const int64_t index = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (index >= rows * words) return;
  const int64_t row = index / words;
  const int word = static_cast<int>(index % words), item = static_cast<int>(row % items);
  if (word * 32 > item) return;  // the future
  const uint64_t step = dropout.step ? static_cast<uint64_t>(*dropout.step) : 0;
  bits[index] = word_of(dropout, step,
                        static_cast<uint64_t>(row) * static_cast<uint64_t>(items) + 32u * static_cast<uint64_t>(word));
}

}  // namespace

void draw_stay_bits(const Dropout& dropout, int64_t pairs, int items, uint32_t* bits, void* stream) {
  const int64_t count = pairs * items * words_of(items);
  draw<<<static_cast<unsigned>((count + threads - 1) / threads), threads, 0, stream_of(stream)>>>(
      dropout, pairs * items, items, bits);
  check_launch("draw_stay_bits");
}

}  // namespace absorb::kernels::attend
