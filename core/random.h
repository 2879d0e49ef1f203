// The one random system: Philox4x32-10 (Salmon et al., SC 2011), counter-based. A number is a function of (key, step,
// index), never of how many were drawn before it, so that adding a router, a thread or a device moves nothing else.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>

namespace absorb {

using at::Tensor;

/// Names one stream at one step. `step` is an int64 scalar on the device that draws (so that a captured graph
/// advances); undefined means step 0.
struct RandomKey {
  uint64_t key = 0;
  Tensor step;
};

/// The key of a named stream: the same (seed, name) gives the same stream in every arm and target.
uint64_t stream_key(uint64_t seed, std::string_view name);

/// Uniform in [0, 1), float32, 24 bits each; element i is a function of (key, step, i) alone. The same bits on CPU and
/// GPU.
Tensor uniform(const RandomKey& key, at::IntArrayRef shape, at::Device device);
/// Standard normal, float32, by the inverse distribution function (explicit fma: the same bits on CPU and GPU).
Tensor gauss(const RandomKey& key, at::IntArrayRef shape, at::Device device);
/// 0 with probability `rate`, otherwise 1 / (1 - rate); float32.
Tensor dropout_mask(const RandomKey& key, double rate, at::IntArrayRef shape, at::Device device);

/// 32 random bits below this drop an element.
uint32_t dropout_threshold(double rate);

/// Host numbers of one stream, for shuffles and synthetic tasks: a small sequential view of the same generator.
class Random {
 public:
  explicit Random(uint64_t key, uint64_t step = 0) : key_(key), step_(step) {}
  uint32_t bits();
  /// Uniform in [0, bound), without modulo bias.
  uint64_t below(uint64_t bound);
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Standard normal (Box-Muller in double; host only).
  double gauss();

 private:
  uint64_t key_, step_, index_ = 0;
  uint32_t block_[4] = {};
};

}  // namespace absorb
