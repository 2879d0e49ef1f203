// Persistent blocks, one share each: a warpgroup starts bulk copies of 64 rows of both operands, two take 128 columns
// of the left one each. Both operands are summed across rows, which wgmma reads as they lie. Rows behind an expert's
// last come along with a step's copy: they belong to the next one, and are made zeros in the left operand.
#include <cuda_runtime.h>

#include "moe/cuda/grouped/grouped_hopper.cuh"
#include "moe/cuda/grouped/grouped_shares.cuh"
#include "tensors/cuda/bulk_copy.cuh"
#include "tensors/cuda/wgmma.cuh"

namespace absorb::kernels {
namespace {

using namespace grouped;
using namespace hopper;

constexpr int box_bytes = 64 * 128, stages = 4;  // a box: 64 rows of 64 numbers

struct Tile {
  static constexpr int M = 256, N = 128, depth = 64, shares = 132, threads = 256, a_frags = 2, b_frags = 8;
  static constexpr int a_boxes = M / 64, b_boxes = N / 64, bytes = (a_boxes + b_boxes) * box_bytes;
  // A warpgroup's products have 64 rows, 16 of each warp.
  __device__ static int fragment_row(int i) {
    const int warp = static_cast<int>(threadIdx.x) % 256 / 32;
    return warp / 4 * 128 + i * 64 + warp % 4 * 16;
  }
  __device__ static int warp_column() { return 0; }
};

struct __align__(1024) Shared {
  unsigned char a[stages][Tile::a_boxes][box_bytes], b[stages][Tile::b_boxes][box_bytes];
  Barrier full[stages], empty[stages];
  int first[most_grouped_experts + 1];
};

__device__ __forceinline__ void produce(const Problem& p, Shared& s, int share, const CUtensorMap& a,
                                        const CUtensorMap& b) {
  const uint64_t often = read_often();
  Turn<stages> turn;
  for_pieces<Tile>(p, s.first, share, [&](const Piece& piece, int length) {
    const PieceRows<Tile> rows(p, piece, length);
    const int left = piece.tile / p.tiles_n * Tile::M, right = piece.tile % p.tiles_n * Tile::N;
    for (int i = 0; i < rows.count; ++i, turn.next()) {
      Barrier& full = s.full[turn.stage];
      s.empty[turn.stage].wait(turn.parity ^ 1);
      full.expect(Tile::bytes);
      const int row = rows.row_of(i);
#pragma unroll 1
      for (int box = 0; box < Tile::a_boxes; ++box)
        copy_box(s.a[turn.stage][box], a, left + 64 * box, row, full, often);
#pragma unroll 1
      for (int box = 0; box < Tile::b_boxes; ++box)
        copy_box(s.b[turn.stage][box], b, right + 64 * box, row, full, often);
    }
  });
}

/// Zeros in rows from `valid` on of this warpgroup's half of the left operand.
__device__ __forceinline__ void clear_behind(unsigned char (&a)[Tile::a_boxes][box_bytes], int group, int valid) {
  const int thread = static_cast<int>(threadIdx.x) % 128;
  for (int i = valid * 8 + thread; i < 64 * 8; i += 128)
#pragma unroll
    for (int box = 0; box < 2; ++box) reinterpret_cast<uint4*>(a[2 * group + box])[i] = uint4{};
  show_to_copies();
  named_sync(1 + group, 128);
}

/// Adds a whole tile to dw, or leaves a part of one in the workspace.
__device__ __forceinline__ void leave(const Problem& p, const Piece& piece, const float (&c)[2][64], int share,
                                      float* dw, float4* partial) {
  const int thread = static_cast<int>(threadIdx.x) - 128, lane = thread % 32;
  if (!piece.whole()) {
    float4* place = partial + place_of<Tile>(share, piece.begin == 0);
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int j = 0; j < 16; ++j)
        place[(i * 16 + j) * Tile::threads + thread] =
            make_float4(c[i][4 * j], c[i][4 * j + 1], c[i][4 * j + 2], c[i][4 * j + 3]);
    return;
  }
  const int64_t column = piece.tile % p.tiles_n * Tile::N + 2 * (lane % 4);
#pragma unroll
  for (int half = 0; half < 4; ++half) {
    const int group_row = thread / 128 * 128 + half / 2 * 64 + thread % 128 / 32 * 16 + lane / 4 + half % 2 * 8;
    const int64_t row = piece.tile / p.tiles_n * Tile::M + group_row;
    if (row >= p.g.left) continue;
    float* to = dw + (piece.expert * p.g.left + row) * p.g.right + column;
#pragma unroll
    for (int j = 0; j < 16; ++j)
      if (column + 8 * j < p.g.right)
        add_pair(to + 8 * j, c[half / 2][4 * j + half % 2 * 2], c[half / 2][4 * j + half % 2 * 2 + 1]);
  }
}

__device__ __forceinline__ void consume(const Problem& p, Shared& s, int share, float* dw, float4* partial) {
  const int group = static_cast<int>(threadIdx.x) / 128 - 1;
  const auto give_back = [&](int stage) {
    if (threadIdx.x % 32 == 0) s.empty[stage].arrive();
  };
  Turn<stages> turn;
  for_pieces<Tile>(p, s.first, share, [&](const Piece& piece, int length) {
    const PieceRows<Tile> rows(p, piece, length);
    float c[2][64];
    int left = 0;
    for (int i = 0; i < rows.count; ++i, turn.next()) {
      s.full[turn.stage].wait(turn.parity);
      const int valid = rows.end - rows.row_of(i);
      if (valid < Tile::depth) clear_behind(s.a[turn.stage], group, valid);
      const uint64_t a = summed_across_rows(shared_address(s.a[turn.stage][2 * group]), box_bytes);
      const uint64_t b = summed_across_rows(shared_address(s.b[turn.stage][0]), box_bytes);
      products_begin();
#pragma unroll
      for (int k = 0; k < Tile::depth / 16; ++k) {
        multiply_across(c[0], a + (k * 2048 >> 4), b + (k * 2048 >> 4), k > 0 || i > 0);
        multiply_across(c[1], a + ((k * 2048 + box_bytes) >> 4), b + (k * 2048 >> 4), k > 0 || i > 0);
      }
      products_commit();
      products_wait<1>();
      if (i > 0) give_back(left);
      left = turn.stage;
    }
    products_wait<0>();
    give_back(left);
    leave(p, piece, c, share, dw, partial);
  });
}

__global__ void __launch_bounds__(384, 1)
    sum_shares_hopper(Problem p, float* dw, float4* partial, const __grid_constant__ CUtensorMap a,
                      const __grid_constant__ CUtensorMap b) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  Shared& s = aligned_shared<Shared>();
  if (threadIdx.x == 0) {
    prefetch_map(a);
    prefetch_map(b);
    start_pipeline(s.full, s.empty, 8);  // the multiplying warps
  }
  first_steps<Tile>(p, s.first);  // a barrier of the block, too
  const int share = static_cast<int>(blockIdx.x);
  if (threadIdx.x < 128) {
    fewer_registers<40>();
    if (threadIdx.x == 0) produce(p, s, share, a, b);
  } else {
    more_registers<232>();
    consume(p, s, share, dw, partial);
  }
#endif
}

}  // namespace

void grouped_weight_gradient_hopper(const GroupedWeightGradient& gradient, float* dw, float* workspace, void* stream) {
  static_assert(grouped_hopper_workspace == 2 * Tile::shares * Tile::M * Tile::N);
  if (gradient.rows == 0) return;
  const Problem p = problem_of<Tile>(gradient);
  auto* partial = reinterpret_cast<float4*>(workspace);
  constexpr int bytes = shared_bytes<Shared>;
  cudaFuncSetAttribute(sum_shares_hopper, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  sum_shares_hopper<<<Tile::shares, 384, bytes, stream_of(stream)>>>(
      p, dw, partial, tensor_map(gradient.a, gradient.rows, gradient.left, gradient.left, 64),
      tensor_map(gradient.b, gradient.rows, gradient.right, gradient.right, 64));
  check_launch("grouped_weight_gradient: sum_shares");
  add_up<Tile>(p, dw, partial, stream);
}

}  // namespace absorb::kernels
