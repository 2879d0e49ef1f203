#include "core/random.h"

#include <torch/types.h>

#include <ATen/Parallel.h>

#include <cmath>

#include "core/cuda/random.cuh"
#include "core/device.h"
#include "core/files.h"

// The integer rounds and fused multiply-adds give the same bits on every instruction set: clones are only faster.
#if defined(__x86_64__) && !defined(__clang__)
#define ABSORB_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), optimize("O3")))
#else
#define ABSORB_CLONES
#endif

namespace absorb {
namespace {

constexpr int64_t lanes = 16;  // Philox blocks drawn side by side

struct Draw {
  philox::Kind kind;
  uint64_t key, step;
  uint32_t threshold = 0;
  float scale = 0;
};

ABSORB_CLONES void fill_group(const Draw& draw, uint64_t first_block, float* out /* [4 * lanes] */) {
  uint32_t words[4][lanes];
  for (int64_t lane = 0; lane < lanes; ++lane) {
    const auto b = philox::block(draw.key, draw.step, first_block + static_cast<uint64_t>(lane));
    for (int word = 0; word < 4; ++word) words[word][lane] = b.word[word];
  }
  for (int64_t lane = 0; lane < lanes; ++lane)
    for (int word = 0; word < 4; ++word) {
      const uint32_t bits = words[word][lane];
      out[4 * lane + word] = draw.kind == philox::Kind::uniform ? philox::to_uniform(bits)
                             : draw.kind == philox::Kind::gauss ? philox::to_gauss(bits)
                                                                : philox::to_dropout(bits, draw.threshold, draw.scale);
    }
}

void fill_cpu(const Draw& draw, float* out, int64_t n) {
  const int64_t group = 4 * lanes;
  at::parallel_for(0, (n + group - 1) / group, 256, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      float buffer[4 * lanes];
      const int64_t count = std::min(group, n - g * group);
      float* target = count == group ? out + g * group : buffer;
      fill_group(draw, static_cast<uint64_t>(g * lanes), target);
      if (target == buffer) std::copy(buffer, buffer + count, out + g * group);
    }
  });
}

Tensor fill(philox::Kind kind, const RandomKey& key, at::IntArrayRef shape, at::Device device, uint32_t threshold = 0,
            float scale = 0) {
  Tensor out = at::empty(shape, at::TensorOptions().dtype(at::kFloat).device(device));
  if (device.is_cuda()) {
    const int64_t* step = key.step.defined() ? key.step.const_data_ptr<int64_t>() : nullptr;
    philox::fill_cuda(kind, out.mutable_data_ptr<float>(), out.numel(), key.key, step, threshold, scale,
                      current_cuda_stream(device));
    return out;
  }
  const uint64_t step = key.step.defined() ? static_cast<uint64_t>(key.step.item<int64_t>()) : 0;
  fill_cpu({kind, key.key, step, threshold, scale}, out.mutable_data_ptr<float>(), out.numel());
  return out;
}

}  // namespace

uint64_t stream_key(uint64_t seed, std::string_view name) {
  return hash64(std::to_string(seed) + '/' + std::string(name));
}

Tensor uniform(const RandomKey& key, at::IntArrayRef shape, at::Device device) {
  return fill(philox::Kind::uniform, key, shape, device);
}

Tensor gauss(const RandomKey& key, at::IntArrayRef shape, at::Device device) {
  return fill(philox::Kind::gauss, key, shape, device);
}

Tensor dropout_mask(const RandomKey& key, double rate, at::IntArrayRef shape, at::Device device) {
  return fill(philox::Kind::dropout, key, shape, device, dropout_threshold(rate),
              static_cast<float>(1.0 / (1.0 - rate)));
}

uint32_t dropout_threshold(double rate) {
  return static_cast<uint32_t>(std::min(std::llround(rate * 0x1p32), 0xffffffffLL));
}

uint32_t Random::bits() {
  if (index_ % 4 == 0) {
    const auto words = philox::block(key_, step_, index_ / 4);
    std::copy(words.word, words.word + 4, block_);
  }
  return block_[index_++ % 4];
}

uint64_t Random::below(uint64_t bound) {
  const uint64_t limit = bound * (~uint64_t{0} / bound);
  for (;;) {
    const uint64_t high = bits();
    if (const uint64_t value = high << 32 | bits(); value < limit) return value % bound;
  }
}

double Random::uniform() {
  const uint64_t high = bits();
  return static_cast<double>((high << 32 | bits()) >> 11) * 0x1p-53;
}

double Random::gauss() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * 3.14159265358979323846 * uniform());
}

}  // namespace absorb
