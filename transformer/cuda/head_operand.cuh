// How the head's gradients read logits as a product's operand: from a stage in shared memory into registers, where they
// become softmax - onehot. For .cu files alone.
#pragma once

#include "tensors/cuda/bulk_copy.cuh"
#include "tensors/cuda/fast_math.cuh"
#include "tensors/cuda/swizzle.cuh"
#include "tensors/cuda/vectors.cuh"
#include "transformer/cuda/fused_head_device.cuh"
#include "transformer/cuda/head_shares.h"

namespace absorb::kernels::head {

using namespace hopper;

/// What the rows of a gradient are.
enum class Of { rows, words };

struct GradientArguments {
  HeadShares shares;
  int rows, vocabulary;
  const float* log_sums;   // [N]
  const int32_t* targets;  // [N]
  const float* scale;
  Bf16* dh;         // [N,D]
  float* partials;  // [parts,N,D], where there are several parts
  float* dw;        // [V,D]
};

constexpr int tile_rows = 128, step_length = 64, box_bytes = 64 * 128, logits_bytes = 2 * box_bytes;
constexpr int most_bytes = 200 * 1024;  // of stages

template <int width>
struct Stages {
  static constexpr int boxes = width / 64, bytes = logits_bytes + boxes * box_bytes;
  static constexpr int count = most_bytes / bytes < 6 ? most_bytes / bytes : 6;
};

template <int width>
struct __align__(1024) Shared {
  static constexpr int stages = Stages<width>::count;
  unsigned char logits[stages][logits_bytes];
  unsigned char other[stages][Stages<width>::boxes * box_bytes];
  float log_sums[stages][step_length];
  int32_t targets[stages][step_length];
  Barrier full[stages], empty[stages];
};

/// Where a cluster's unit of work lies.
struct Unit {
  int tile, part, begin, end;  // the block's first output row, its part, steps
  __device__ __forceinline__ Unit(const GradientArguments& a, int index, uint32_t rank) {
    part = index % a.shares.parts;
    tile = (2 * (index / a.shares.parts) + static_cast<int>(rank)) * tile_rows;
    begin = a.shares.first(part);
    end = a.shares.first(part + 1);
  }
};

template <bool transposed>
__device__ __forceinline__ void load_matrices(uint32_t (&x)[4], uint32_t address) {
  if constexpr (transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
                 : "r"(address));
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
                 : "r"(address));
}

__device__ __forceinline__ float2 load_pair(uint32_t address) {
  float2 x;
  asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(x.x), "=f"(x.y) : "r"(address));
  return x;
}
__device__ __forceinline__ int32_t load_int(uint32_t address) {
  int32_t x;
  asm volatile("ld.shared.s32 %0, [%1];" : "=r"(x) : "r"(address));
  return x;
}

/// softmax - onehot of eight logits, `x` as an operand has them, rounded. `shift` and `hit` are of each of them: minus
/// the log sum of its row, and whether it is the row's target.
template <class Shift, class Hit>
__device__ __forceinline__ void form(uint32_t (&x)[4], Shift shift, bool any_hit, Hit hit) {
  float p[8];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    unpack2(x[i], p[2 * i], p[2 * i + 1]);
    p[2 * i] = exp2_fast(fmaf(p[2 * i], log2_e, shift(2 * i)));
    p[2 * i + 1] = exp2_fast(fmaf(p[2 * i + 1], log2_e, shift(2 * i + 1)));
  }
  if (__builtin_expect(any_hit, 0)) {
#pragma unroll
    for (int i = 0; i < 8; ++i)
      if (hit(i)) p[i] -= 1.0f;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) x[i] = pack2(p[2 * i], p[2 * i + 1]);
}

/// Logits of the next product's operand, as stored, and of words' gradients the log sums of their rows.
template <Of of>
struct Loaded {
  uint32_t x[4];
  float2 log_sums[2];
};

/// Reads operands of logits from shared memory and makes gradients of them.
template <Of of, int width>
struct Reader {
  const Shared<width>& s;
  int lane, group, warp;
  Place place;        // of the first of a step's operands
  float log_sums[2];  // of the thread's rows `row` and `row` + 8 (Of::rows)
  int32_t targets[2];
  int row;

  __device__ __forceinline__ explicit Reader(const Shared<width>& shared)
      : s(shared),
        lane(static_cast<int>(threadIdx.x) % 32),
        group(static_cast<int>(threadIdx.x) / 128 - 1),
        warp(static_cast<int>(threadIdx.x) % 128 / 32) {
    place = of == Of::rows ? place_of_lane(lane) : transposed_place_of_lane(lane);
    if constexpr (of == Of::rows)
      place.row += 64 * group + 16 * warp;
    else
      place.vector += 2 * warp;
  }
  __device__ __forceinline__ void start(const GradientArguments& a, const Unit& unit) {
    row = unit.tile + 64 * group + 16 * warp + lane / 4;
    if constexpr (of == Of::rows)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        log_sums[i] = a.log_sums[row + 8 * i];
        targets[i] = a.targets[row + 8 * i];
      }
  }
  __device__ __forceinline__ void load(Loaded<of>& to, int stage, int k) const {
    const uint32_t logits = shared_address(s.logits[stage]);
    if constexpr (of == Of::rows) {
      load_matrices<false>(to.x, logits + swizzled(place.row, 2 * k + place.vector, lane % 8));
    } else {
      load_matrices<true>(to.x, logits + group * box_bytes + swizzled(16 * k + place.row, place.vector, lane % 8));
      const uint32_t sums = shared_address(s.log_sums[stage]) + 64 * k + 8 * (lane % 4);
      to.log_sums[0] = load_pair(sums);
      to.log_sums[1] = load_pair(sums + 32);
    }
  }
  /// Whether a target lies in this step's share of this warp's logits: the same for all of its lanes.
  __device__ __forceinline__ bool any_hit(int stage, int step) const {
    bool hit;
    if constexpr (of == Of::rows) {
      hit = static_cast<uint32_t>(targets[0] - step * step_length) < step_length ||
            static_cast<uint32_t>(targets[1] - step * step_length) < step_length;
    } else {
      const int first = row - lane / 4;
      hit = static_cast<uint32_t>(load_int(shared_address(s.targets[stage]) + 4 * lane) - first) < 16 ||
            static_cast<uint32_t>(load_int(shared_address(s.targets[stage]) + 4 * lane + 128) - first) < 16;
    }
    return __any_sync(0xffffffffu, hit);
  }
  __device__ __forceinline__ void make(uint32_t (&x)[4], const Loaded<of>& from, int stage, int step, int k,
                                       bool any) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) x[i] = from.x[i];
    if constexpr (of == Of::rows) {
      const int word = step * step_length + 16 * k + 2 * (lane % 4);
      form(
          x, [&](int i) { return -log_sums[i / 2 % 2]; }, any,
          [&](int i) { return targets[i / 2 % 2] == word + i % 2 + i / 4 * 8; });
    } else {
      const uint32_t targets_here = shared_address(s.targets[stage]) + 64 * k + 8 * (lane % 4);
      form(
          x, [&](int i) { return i % 2 ? -from.log_sums[i / 4].y : -from.log_sums[i / 4].x; }, any,
          [&](int i) { return load_int(targets_here + 4 * (i % 2 + i / 4 * 8)) == row + i / 2 % 2 * 8; });
    }
  }
};

}  // namespace absorb::kernels::head
