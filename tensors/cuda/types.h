// What launchers of kernels take and C++ sees: no CUDA header and no torch header, so that both sides compile in
// seconds.
#pragma once

#include <cstdint>

namespace absorb {

/// A stored bfloat16 number; kernels reinterpret it.
struct Bf16 {
  uint16_t bits;
};

namespace kernels {

/// Dropout of one tensor: element i is dropped where word i % 4 of philox::block(key, *step, i / 4) lies below
/// `threshold`, and multiplied by `scale` otherwise. threshold 0: nothing is dropped. `step` is a device pointer, so
/// that a captured graph advances.
struct Dropout {
  uint64_t key = 0;
  const int64_t* step = nullptr;
  uint32_t threshold = 0;
  float scale = 1;
};

}  // namespace kernels
}  // namespace absorb
