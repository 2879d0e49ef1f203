// Tiles of bf16 in shared memory and the tensor core instructions that read them: cp.async, ldmatrix, mma m16n8k16
// (compute capability 8.0 and later). The index maps compile on the host too, where tests check them; the rest is for
// .cu files alone. Surprising: rows of a tile hold Width bf16 without padding, so that a tile may be loaded 16 bytes a
// thread, and are swizzled, so that ldmatrix meets no bank twice. A tile must begin at a multiple of 256 bytes.
#pragma once

#include <cstdint>

#include "core/cuda/random.cuh"  // ABSORB_HOST_DEVICE

namespace absorb::kernels::tile {

/// Byte offset of the 8 bf16 `chunk` of `row` in a tile whose rows hold Width (16, 32, 64 or 128) bf16.
template <int Width>
ABSORB_HOST_DEVICE constexpr int offset(int row, int chunk) {
  constexpr int chunks = Width / 8;
  constexpr int rows_per_line = chunks < 8 ? 8 / chunks : 1;  // a line: the 128 bytes of all banks
  constexpr int spread = chunks < 8 ? chunks : 8;
  return (row * chunks + (chunk ^ (row / rows_per_line % spread))) * 16;
}

/// Where lane `lane` of a warp finds its row and its chunk (0 or 1) for the ldmatrix of four 8 x 8 matrices.
/// across: of a 16 x 16 block that is the left operand, or (transposed by ldmatrix) the right one with rows = k.
ABSORB_HOST_DEVICE constexpr int across_row(int lane) {
  return lane % 16;
}
ABSORB_HOST_DEVICE constexpr int across_chunk(int lane) {
  return lane / 16;
}
/// down: of 16 rows, each a column of the right operand, so that the words are k 0-7 and 8-15 of the first 8 columns,
/// then of the second 8.
ABSORB_HOST_DEVICE constexpr int down_row(int lane) {
  return lane % 8 + lane / 16 * 8;
}
ABSORB_HOST_DEVICE constexpr int down_chunk(int lane) {
  return lane / 8 % 2;
}
/// Element i (0..3) of a lane's part of a 16 x 8 result: its row and its column.
ABSORB_HOST_DEVICE constexpr int result_row(int lane, int i) {
  return lane / 4 + i / 2 * 8;
}
ABSORB_HOST_DEVICE constexpr int result_column(int lane, int i) {
  return lane % 4 * 2 + i % 2;
}

#ifdef __CUDACC__

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

/// Address from which this lane loads, for k step 0 and row 0; step s and row 8 n lie at (address ^ 32 s) + 16 Width n.
template <int Width>
__device__ __forceinline__ uint32_t across_address(uint32_t tile, int lane) {
  return tile + static_cast<uint32_t>(offset<Width>(across_row(lane), across_chunk(lane)));
}
template <int Width>
__device__ __forceinline__ uint32_t down_address(uint32_t tile, int lane) {
  return tile + static_cast<uint32_t>(offset<Width>(down_row(lane), down_chunk(lane)));
}

__device__ __forceinline__ void load_matrices(uint32_t (&word)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(word[0]), "=r"(word[1]), "=r"(word[2]), "=r"(word[3])
               : "r"(address));
}

__device__ __forceinline__ void load_transposed(uint32_t (&word)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(word[0]), "=r"(word[1]), "=r"(word[2]), "=r"(word[3])
               : "r"(address));
}

/// c += a b: a 16 x 16, b 16 x 8 (two words), c 16 x 8 in fp32.
__device__ __forceinline__ void multiply(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// c = a b: what multiply() gives from c = 0.
__device__ __forceinline__ void multiply_first(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%10,%10,%10};"
      : "=f"(c[0]), "=f"(c[1]), "=f"(c[2]), "=f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "f"(0.0f));
}

/// Two numbers rounded to bf16, `low` in the lower half.
__device__ __forceinline__ uint32_t packed(float low, float high) {
  uint32_t word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  return word;
}

/// 16 bytes from global to shared memory, zeros instead where not `valid` (then nothing is read).
__device__ __forceinline__ void copy_async(uint32_t shared, const void* global, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global), "r"(valid ? 16 : 0)
               : "memory");
}

__device__ __forceinline__ void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

/// Waits until at most `Pending` of this thread's groups are under way; a barrier must follow.
template <int Pending>
__device__ __forceinline__ void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

/// Starts to copy Rows rows (row i at rows + i * stride elements, within 2^32 bytes) into a tile of Rows x Width. Rows
/// from `valid` on and columns from `width` (a multiple of 8) on become zeros. All Threads threads of the block call
/// it.
template <int Width, int Rows, int Threads>
__device__ __forceinline__ void load_tile(uint32_t tile, const void* rows, int64_t stride, int valid, int width) {
  constexpr int chunks = Width / 8, rows_at_once = Threads / chunks;
  static_assert(Threads % chunks == 0 && (Rows % rows_at_once == 0 || Rows < rows_at_once));
  static_assert(Rows <= rows_at_once || rows_at_once % 8 == 0);  // then the swizzle is the same every time
  const int row = static_cast<int>(threadIdx.x) / chunks, chunk = static_cast<int>(threadIdx.x) % chunks;
  if (Rows < rows_at_once && row >= Rows) return;
  const bool inside = chunk * 8 < width;
  const uint32_t bytes = static_cast<uint32_t>(stride) * 2;
  const uint32_t source = static_cast<uint32_t>(row) * bytes + static_cast<uint32_t>(chunk * 16);
  const uint32_t target = tile + static_cast<uint32_t>(offset<Width>(row, chunk));
#pragma unroll
  for (int i = 0; i < Rows; i += rows_at_once) {
    const bool there = inside && row + i < valid;
    copy_async(target + static_cast<uint32_t>(i * Width * 2),
               static_cast<const char*>(rows) + (there ? source + static_cast<uint32_t>(i) * bytes : 0u), there);
  }
}

/// A left operand of 16 rows of Width, in shared memory; when Held, kept in registers, so that a loop reads it once.
template <int Width, bool Held>
struct Left {
  static constexpr int steps = Width / 16;

  uint32_t address;  // across_address() of its first row
  uint32_t words[Held ? steps : 1][4];

  __device__ __forceinline__ void fetch(uint32_t (&a)[4], int step) const {
    load_matrices(a, address ^ static_cast<uint32_t>(step * 32));
  }
  /// Once the tile has arrived.
  __device__ __forceinline__ void hold() {
    if constexpr (Held)
#pragma unroll
      for (int i = 0; i < steps; ++i) fetch(words[i], i);
  }
  __device__ __forceinline__ void get(uint32_t (&a)[4], int step) const {
    if constexpr (Held)
#pragma unroll
      for (int i = 0; i < 4; ++i) a[i] = words[step][i];
    else
      fetch(a, step);
  }
};

/// out = left times 8 Blocks rows of Width at `down` (a down_address), transposed. One mma chain over k an element.
template <int Width, bool Held, int Blocks>
__device__ __forceinline__ void products(float (&out)[Blocks][4], const Left<Width, Held>& left, uint32_t down) {
  static_assert(Blocks % 2 == 0);
#pragma unroll
  for (int step = 0; step < Width / 16; ++step) {
    uint32_t a[4];
    left.get(a, step);
#pragma unroll
    for (int n = 0; n < Blocks; n += 2) {
      uint32_t b[4];
      load_matrices(b, (down ^ static_cast<uint32_t>(step * 32)) + static_cast<uint32_t>(n * 16 * Width));
      if (step == 0) {
        multiply_first(out[n], a, b[0], b[1]);
        multiply_first(out[n + 1], a, b[2], b[3]);
      } else {
        multiply(out[n], a, b[0], b[1]);
        multiply(out[n + 1], a, b[2], b[3]);
      }
    }
  }
}

/// out += x rows: x (rounded to bf16) is 16 x 8 Blocks, `across` an across_address of 8 Blocks rows of Width.
template <int Width, int Blocks>
__device__ __forceinline__ void accumulate(float (&out)[Width / 8][4], const float (&x)[Blocks][4], uint32_t across) {
#pragma unroll
  for (int step = 0; step < Blocks / 2; ++step) {
    uint32_t a[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float(&pair)[4] = x[2 * step + i / 2];
      a[i] = packed(pair[i % 2 * 2], pair[i % 2 * 2 + 1]);
    }
#pragma unroll
    for (int n = 0; n < Width / 8; n += 2) {
      uint32_t b[4];
      load_transposed(b, (across ^ static_cast<uint32_t>(n * 16)) + static_cast<uint32_t>(step * 32 * Width));
      multiply(out[n], a, b[0], b[1]);
      multiply(out[n + 1], a, b[2], b[3]);
    }
  }
}

#endif

}  // namespace absorb::kernels::tile
