// Hopper's bulk tensor copies and the barriers that count what they bring. For .cu files alone, and code of sm_90a
// alone.
//
// A stage of a pipeline has two barriers: `full`, on which the consumers wait for the bytes that the producer asked
// for, and `empty`, on which the producer waits for the consumers. Their parities start so that the first wait for
// `empty` passes. In a cluster of blocks a copy may fill the same place of several blocks at once: then the stage is
// empty when the consumers of all of them have left it.
#pragma once

#include <cuda.h>

#include <cstdint>

/// A kernel's blocks come in pairs; nothing where code for older cards is made, which never runs such a kernel.
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
#define ABSORB_CLUSTERS_OF_TWO __cluster_dims__(2, 1, 1)
#else
#define ABSORB_CLUSTERS_OF_TWO
#endif
#if defined(__CUDA_ARCH__) && !defined(__CUDA_ARCH_FEAT_SM90_ALL)
#pragma nv_diag_suppress 177  // what Hopper's code alone calls
#endif

namespace absorb::kernels::hopper {

__device__ __forceinline__ uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

struct Barrier {
  uint64_t word;

  __device__ __forceinline__ void init(uint32_t arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(this)), "r"(arrivals));
  }
  /// Arrives, and expects so many bytes of copies before the phase is over.
  __device__ __forceinline__ void expect(uint32_t bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(this)), "r"(bytes)
                 : "memory");
  }
  __device__ __forceinline__ void arrive() {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(this)) : "memory");
  }
  /// Arrives at this barrier of block `rank` of the cluster. What it orders are reads that are over: with the release
  /// at cluster scope that ordinary writes would need, every arrival waits for the thread's stores to global memory.
  __device__ __forceinline__ void arrive_at(uint32_t rank) {
    asm volatile(
        "{\n.reg .b32 there;\nmapa.shared::cluster.u32 there, %0, %1;\n"
        "mbarrier.arrive.shared::cluster.b64 _, [there];\n}" ::"r"(shared_address(this)),
        "r"(rank)
        : "memory");
  }
  __device__ __forceinline__ void wait(uint32_t parity) {
    asm volatile(
        "{\n.reg .pred done;\nAGAIN:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
        "@!done bra AGAIN;\n}" ::"r"(shared_address(this)),
        "r"(parity)
        : "memory");
  }
};

/// Where a pipeline of `stages` stages is.
template <int stages>
struct Turn {
  int stage = 0;
  uint32_t parity = 0;
  __device__ __forceinline__ void next() {
    if (++stage == stages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

/// Sets up a pipeline's barriers, by one thread; the whole cluster knows them after its next barrier. A stage is empty
/// after so many arrivals.
template <int stages>
__device__ __forceinline__ void start_pipeline(Barrier (&full)[stages], Barrier (&empty)[stages], uint32_t arrivals) {
  for (int i = 0; i < stages; ++i) {
    full[i].init(1);
    empty[i].init(arrivals);
  }
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

/// The block's dynamic shared memory as an S, which begins at 1,024 bytes as swizzled tiles do.
template <class S>
__device__ __forceinline__ S& aligned_shared() {
  extern __shared__ unsigned char raw[];
  return *reinterpret_cast<S*>((reinterpret_cast<uintptr_t>(raw) + 1023) & ~uintptr_t{1023});
}
/// Bytes to ask for.
template <class S>
constexpr int shared_bytes = static_cast<int>(sizeof(S)) + 1024;
__device__ __forceinline__ void cluster_sync() {
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}
__device__ __forceinline__ uint32_t rank_in_cluster() {
  uint32_t rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
/// Of `threads` threads, a multiple of 32, that all name the same `barrier` (1 to 15).
__device__ __forceinline__ void named_sync(int barrier, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}
/// The same without waiting.
__device__ __forceinline__ void named_arrive(int barrier, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

/// Registers a thread of this warpgroup may have from now on: a multiple of 8.
template <int count>
__device__ __forceinline__ void fewer_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
}
template <int count>
__device__ __forceinline__ void more_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
}

/// What is read once leaves the L2 cache first, what every block reads last.
__device__ __forceinline__ uint64_t read_once() {
  uint64_t policy;
  asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}
__device__ __forceinline__ uint64_t read_often() {
  uint64_t policy;
  asm("createpolicy.fractional.L2::evict_last.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}

/// The box of a map whose first column and row are given, to `to`; `full` counts its bytes.
__device__ __forceinline__ void copy_box(void* to, const CUtensorMap& map, int column, int row, Barrier& full,
                                         uint64_t policy) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint"
      " [%0], [%1, {%2, %3}], [%4], %5;" ::"r"(shared_address(to)),
      "l"(&map), "r"(column), "r"(row), "r"(shared_address(&full)), "l"(policy)
      : "memory");
}
/// The same to this place of every block of the cluster whose bit is set in `blocks`; each one's own barrier counts.
__device__ __forceinline__ void copy_box_to(uint16_t blocks, void* to, const CUtensorMap& map, int column, int row,
                                            Barrier& full, uint64_t policy) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster"
      ".L2::cache_hint [%0], [%1, {%2, %3}], [%4], %5, %6;" ::"r"(shared_address(to)),
      "l"(&map), "r"(column), "r"(row), "r"(shared_address(&full)), "h"(blocks), "l"(policy)
      : "memory");
}
/// `bytes`, a multiple of 16, from an address that is one.
__device__ __forceinline__ void copy_bytes(void* to, const void* from, uint32_t bytes, Barrier& full) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                   shared_address(to)),
               "l"(from), "r"(bytes), "r"(shared_address(&full))
               : "memory");
}
/// A box from shared memory to where it belongs; what lies outside of the tensor is left out.
__device__ __forceinline__ void store_box(const CUtensorMap& map, int column, int row, const void* from) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%1, %2}], [%3];" ::"l"(&map),
               "r"(column), "r"(row), "r"(shared_address(from))
               : "memory");
}
__device__ __forceinline__ void stores_commit() {
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}
/// The shared memory of all stores may be written again.
__device__ __forceinline__ void stores_read() {
  asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}
/// All stores have arrived.
__device__ __forceinline__ void stores_done() {
  asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
}
/// What this thread wrote to shared memory is seen by the copies that a thread starts after a barrier.
__device__ __forceinline__ void show_to_copies() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/// Adds two neighbouring numbers, aligned to 8 bytes, where nobody else of the launch adds: the memory's own addition,
/// which nobody waits for. Denormal numbers become zeros.
__device__ __forceinline__ void add_pair(float* to, float x, float y) {
  asm volatile("red.global.add.v2.f32 [%0], {%1, %2};" ::"l"(to), "f"(x), "f"(y) : "memory");
}

__device__ __forceinline__ void prefetch_map(const CUtensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

/// A matrix [rows, columns] of bf16, `stride` numbers from row to row (a multiple of 8), in boxes of 64 columns and
/// `box_rows` rows (at most 256) with the 128-byte swizzle. Throws where the driver refuses.
CUtensorMap tensor_map(const void* data, int64_t rows, int64_t columns, int64_t stride, int box_rows);

}  // namespace absorb::kernels::hopper
