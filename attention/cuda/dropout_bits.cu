#include "attention/cuda/dropout_bits.cuh"

#include "tensors/cuda/launch.cuh"
#include "tensors/cuda/vectors.cuh"

namespace absorb::kernels::attend {
namespace {

constexpr int threads = 128;

// 2 bits + (word >= threshold), by the carry of an addition. `complement` is -threshold, not 0.
__device__ __forceinline__ uint32_t append(uint32_t bits, uint32_t word, uint32_t complement) {
  asm("{\n\t.reg .u32 sum;\n\tadd.cc.u32 sum, %1, %2;\n\taddc.u32 %0, %0, %0;\n\t}"
      : "+r"(bits)
      : "r"(word), "r"(complement));
  return bits;
}

// A word whose first element begins a block of four, the last element first: so it is where T is a multiple of four.
__device__ __forceinline__ uint32_t aligned_word(const RoundKeys& keys, uint64_t step, uint64_t block0,
                                                 uint32_t complement) {
  uint32_t bits = 0;
#pragma unroll 4
  for (int i = 7; i >= 0; --i) {
    const philox::Block words = philox_block(keys, step, block0 + static_cast<uint64_t>(i));
#pragma unroll
    for (int j = 3; j >= 0; --j) bits = append(bits, words.word[j], complement);
  }
  return bits;
}

// The first element may lie anywhere in a block.
__device__ __forceinline__ uint32_t any_word(const RoundKeys& keys, uint64_t step, uint64_t first, uint32_t threshold) {
  uint32_t bits = 0;
  const int phase = static_cast<int>(first % 4);
#pragma unroll 1
  for (int i = 0; i < 9; ++i) {
    const philox::Block words = philox_block(keys, step, first / 4 + static_cast<uint64_t>(i));
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int place = 4 * i + j - phase;
      if (place >= 0 && place < 32) bits |= static_cast<uint32_t>(words.word[j] >= threshold) << place;
    }
  }
  return bits;
}

template <bool aligned>
__global__ void __launch_bounds__(threads)
    draw(const __grid_constant__ Dropout dropout, const __grid_constant__ RoundKeys keys, int pairs, int items,
         uint32_t* bits) {
  const int words = words_of(items), lane = static_cast<int>(threadIdx.x) % 32;
  const DrawShare share =
      draw_share(static_cast<int>(blockIdx.x) * (threads / 32) + static_cast<int>(threadIdx.x) / 32, words);
  const int item = share.group * 32 + lane;
  if (share.pair >= pairs || share.word > share.group || item >= items) return;
  const uint64_t step = dropout.step ? static_cast<uint64_t>(*dropout.step) : 0;
  const int64_t row = int64_t{share.pair} * items + item;
  const auto first = static_cast<uint64_t>(row * items + 32 * share.word);
  uint32_t* out = bits + row * words + share.word;
  if constexpr (aligned)
    *out = aligned_word(keys, step, first / 4, 0u - dropout.threshold);
  else
    *out = any_word(keys, step, first, dropout.threshold);
}

}  // namespace

void draw_stay_bits(const Dropout& dropout, int64_t pairs, int items, uint32_t* bits, void* stream) {
  const RoundKeys keys(dropout.key);
  const int64_t warps = pairs * draw_shares(words_of(items)), each = threads / 32;
  const auto blocks = static_cast<unsigned>((warps + each - 1) / each);
  if (items % 4 == 0)
    draw<true><<<blocks, threads, 0, stream_of(stream)>>>(dropout, keys, static_cast<int>(pairs), items, bits);
  else
    draw<false><<<blocks, threads, 0, stream_of(stream)>>>(dropout, keys, static_cast<int>(pairs), items, bits);
  check_launch("draw_stay_bits");
}

}  // namespace absorb::kernels::attend
