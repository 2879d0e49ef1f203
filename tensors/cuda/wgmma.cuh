// Hopper's matrix product of a warpgroup (wgmma), bf16 operands and fp32 sums, of the shapes that kernels here need.
// For .cu files alone, and code of sm_90a alone. A warpgroup is four warps that start at a multiple of four; it works
// on its product while it goes on: nothing may touch the sums or operands between multiply() and the wait() that covers
// it.
//
// The sums of a thread, c[n / 2]: column 8 j + 2 (lane % 4) + {0, 1} of row 16 warp + lane / 4 in c[4 j], c[4 j + 1]
// and of eight rows below in c[4 j + 2], c[4 j + 3]. Operands in shared memory are tiles of rows of 128 bytes as the
// bulk tensor copy leaves them with its 128-byte swizzle, aligned to 1,024 bytes.
#pragma once

#include <cstdint>

namespace absorb::kernels::hopper {

/// Sums and registers written before are visible to the products that follow.
__device__ __forceinline__ void products_begin() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void products_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
/// Waits until at most `pending` committed groups are under way.
template <int pending>
__device__ __forceinline__ void products_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
}

/// An operand whose rows are the product's rows (or columns) and whose 64 numbers a row are summed over; 16 of them are
/// used: add 32 bytes for the next 16. 64 rows lie 8,192 bytes on.
__device__ __forceinline__ uint64_t summed_along_rows(uint32_t address) {
  return static_cast<uint64_t>((address & 0x3ffff) >> 4) | static_cast<uint64_t>(1) << 16 |
         static_cast<uint64_t>(1024 >> 4) << 32 | static_cast<uint64_t>(1) << 62;
}
/// An operand whose rows are summed over (16 of them: add 2,048 bytes for the next) and whose columns are the
/// product's, 64 in each tile of `tile` bytes, as many tiles as the product has columns.
__device__ __forceinline__ uint64_t summed_across_rows(uint32_t address, uint32_t tile) {
  return static_cast<uint64_t>((address & 0x3ffff) >> 4) | static_cast<uint64_t>(tile >> 4) << 16 |
         static_cast<uint64_t>(1024 >> 4) << 32 | static_cast<uint64_t>(1) << 62;
}

// The sums of a thread as operands of an asm statement, 32 at a time, and their names in its text.
#define ABSORB_SUMS_8(c, i)                                                                             \
  "+f"(c[i]), "+f"(c[(i) + 1]), "+f"(c[(i) + 2]), "+f"(c[(i) + 3]), "+f"(c[(i) + 4]), "+f"(c[(i) + 5]), \
      "+f"(c[(i) + 6]), "+f"(c[(i) + 7])
#define ABSORB_SUMS_32(c, i) \
  ABSORB_SUMS_8(c, i), ABSORB_SUMS_8(c, (i) + 8), ABSORB_SUMS_8(c, (i) + 16), ABSORB_SUMS_8(c, (i) + 24)
#define ABSORB_SUMS_64(c) ABSORB_SUMS_32(c, 0), ABSORB_SUMS_32(c, 32)
#define ABSORB_SUMS_96(c) ABSORB_SUMS_64(c), ABSORB_SUMS_32(c, 64)
#define ABSORB_NAMES_32                                                    \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define ABSORB_NAMES_64                                                                \
  ABSORB_NAMES_32                                                                      \
  ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define ABSORB_NAMES_96                                                                \
  ABSORB_NAMES_64                                                                      \
  ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, " \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
// A product of 64 rows and n columns; `how`: whether a, where it lies in shared memory, and b are transposed.
#define ABSORB_PRODUCT(n, names, a, b, adds, how) \
  "{\n.reg .pred p;\nsetp.ne.b32 p, " adds        \
  ", 0;\n"                                        \
  "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 {" names "}, " a ", " b ", p, 1, 1, " how ";\n}"

/// c += (adds) a b: a [64,16] in registers as mma.m16n8k16 has them, b [16,64] summed_across_rows().
__device__ __forceinline__ void multiply(float (&c)[32], const uint32_t (&a)[4], uint64_t b, bool adds) {
  asm volatile(ABSORB_PRODUCT(64, ABSORB_NAMES_32, "{%32, %33, %34, %35}", "%36", "%37", "1")
               : ABSORB_SUMS_32(c, 0)
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(adds)));
}

/// c += (adds) a b: a [64,16] in registers as mma.m16n8k16 has them, b [16,128] summed_across_rows().
__device__ __forceinline__ void multiply(float (&c)[64], const uint32_t (&a)[4], uint64_t b, bool adds) {
  asm volatile(ABSORB_PRODUCT(128, ABSORB_NAMES_64, "{%64, %65, %66, %67}", "%68", "%69", "1")
               : ABSORB_SUMS_64(c)
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(adds)));
}

/// c += (adds) a b: a [64,16] in registers as mma.m16n8k16 has them, b [16,192] summed_across_rows().
__device__ __forceinline__ void multiply(float (&c)[96], const uint32_t (&a)[4], uint64_t b, bool adds) {
  asm volatile(ABSORB_PRODUCT(192, ABSORB_NAMES_96, "{%96, %97, %98, %99}", "%100", "%101", "1")
               : ABSORB_SUMS_96(c)
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(adds)));
}

/// c += (adds) a b: a [64,16] in registers, b [16,192] summed_along_rows().
__device__ __forceinline__ void multiply_along(float (&c)[96], const uint32_t (&a)[4], uint64_t b, bool adds) {
  asm volatile(ABSORB_PRODUCT(192, ABSORB_NAMES_96, "{%96, %97, %98, %99}", "%100", "%101", "0")
               : ABSORB_SUMS_96(c)
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(adds)));
}

/// c += (adds) a b: a [64,16] transposed and b [16,128], both summed_across_rows().
__device__ __forceinline__ void multiply_across(float (&c)[64], uint64_t a, uint64_t b, bool adds) {
  asm volatile(ABSORB_PRODUCT(128, ABSORB_NAMES_64, "%64", "%65", "%66", "1, 1")
               : ABSORB_SUMS_64(c)
               : "l"(a), "l"(b), "r"(static_cast<int>(adds)));
}

#undef ABSORB_SUMS_8
#undef ABSORB_SUMS_32
#undef ABSORB_SUMS_64
#undef ABSORB_SUMS_96
#undef ABSORB_NAMES_32
#undef ABSORB_NAMES_64
#undef ABSORB_NAMES_96
#undef ABSORB_PRODUCT

}  // namespace absorb::kernels::hopper
