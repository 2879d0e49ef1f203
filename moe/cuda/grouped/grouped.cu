// Persistent blocks, one share of schedule.cuh each: operands come row by row through a ring of stages (cp.async), both
// transposed by ldmatrix, since the rows are what is summed over.
#include <cuda_runtime.h>

#include <algorithm>
#include <stdexcept>

#include "moe/cuda/block_product.cuh"
#include "moe/cuda/grouped/grouped_hopper.cuh"
#include "moe/cuda/grouped/grouped_shares.cuh"
#include "router/cuda/tile.cuh"
#include "tensors/cuda/launch.cuh"

namespace absorb::kernels {
namespace {

using namespace grouped;

// Shares are those that fill an H100, everywhere: another number would be another order of sums.
struct Large : BlockTile<256, 128, 4, 1> {
  static constexpr int shares = 132;
};
struct Small : BlockTile<128, 128, 3, 2> {
  static constexpr int shares = 264;
};

// One operand's copies: this thread's 16 bytes of every Pass-th row of a step.
template <int Width, int Rows, int threads>
struct Loader {
  static constexpr int chunks = Width / 8, pass = threads / chunks, passes = Rows / pass;
  static_assert(pass % 8 == 0 && pass * passes == Rows);
  const char* from;  // row 0 of all, this thread's column
  int64_t stride;    // bytes
  uint32_t to;
  bool inside;

  __device__ Loader(const Bf16* rows, int64_t width, int column, uint32_t shared) {
    const int row = threadIdx.x / chunks, chunk = threadIdx.x % chunks;
    inside = column + chunk * 8 < width;
    from = reinterpret_cast<const char*>(rows + (inside ? column + chunk * 8 : 0));
    stride = width * 2;
    to = shared + static_cast<uint32_t>(tile::offset<Width>(row, chunk));
  }

  // Copy i of those that rows [begin, begin + Rows) take; rows from `end` on are zeros.
  __device__ __forceinline__ void copy(int i, int stage_offset, int begin, int end) const {
    const int row = begin + static_cast<int>(threadIdx.x) / chunks + i * pass;
    const bool valid = inside && row < end;
    // `pass` is a multiple of 8, which leaves the swizzle as it is.
    tile::copy_async(to + static_cast<uint32_t>(stage_offset + i * pass * Width * 2), from + (valid ? row : 0) * stride,
                     valid);
  }
};

// Where this lane finds its fragments. Both operands lie as a right one does; as the left one, k and columns change
// places.
template <class T>
struct Reader {
  uint32_t a_at, b_at;

  __device__ __forceinline__ explicit Reader(uint32_t shared) {
    const int lane = threadIdx.x % 32;
    const int a = tile::offset<T::M>(tile::down_row(lane), T::warp_row() / 8 + tile::down_chunk(lane));
    const int b = tile::offset<T::N>(tile::across_row(lane), T::warp_column() / 8 + tile::across_chunk(lane));
    a_at = shared + static_cast<uint32_t>(a);
    b_at = shared + static_cast<uint32_t>(T::a_bytes + b);
  }

  __device__ __forceinline__ void load(uint32_t (&a)[T::a_frags][4], uint32_t (&b)[T::b_frags][4], int k,
                                       int stage_offset) const {
    const auto offset = static_cast<uint32_t>(stage_offset);
#pragma unroll
    for (int i = 0; i < T::a_frags; ++i)
      tile::load_transposed(a[i], ((a_at + offset) ^ static_cast<uint32_t>(i * 32)) + k * 16 * T::M * 2);
#pragma unroll
    for (int j = 0; j < T::b_frags; ++j)
      tile::load_transposed(b[j], ((b_at + offset) ^ static_cast<uint32_t>(j * 32)) + k * 16 * T::N * 2);
  }
};

// The copies of a piece's steps.
template <class T>
struct Writer {
  Loader<T::M, T::depth, T::threads> a;
  Loader<T::N, T::depth, T::threads> b;
  PieceRows<T> rows;

  __device__ __forceinline__ Writer(const Problem& p, const Piece& piece, int share_length, uint32_t shared)
      : a(p.g.a, p.g.left, piece.tile / p.tiles_n * T::M, shared),
        b(p.g.b, p.g.right, piece.tile % p.tiles_n * T::N, shared + T::a_bytes),
        rows(p, piece, share_length) {}
  __device__ __forceinline__ void copy(int c, int stage_offset, int row) const {
    if (c < T::a_copies)
      a.copy(c, stage_offset, row, rows.end);
    else
      b.copy(c - T::a_copies, stage_offset, row, rows.end);
  }
};

template <class T>
__device__ __forceinline__ void sum_piece(const Problem& p, const Piece& piece, int share_length, uint32_t shared,
                                          Sums<T>& sums) {
  const Writer<T> writer(p, piece, share_length, shared);
  const Reader<T> reader(shared);
  const auto turn = [] {
    tile::commit_copies();
    tile::wait_copies<T::stages - 2>();
    __syncthreads();
  };
  __syncthreads();  // the piece before may still be read
#pragma unroll
  for (int i = 0; i < T::stages - 1; ++i) {
#pragma unroll
    for (int c = 0; c < T::copies; ++c) writer.copy(c, i * T::stage_bytes, writer.rows.row_of(i));
    if (i < T::stages - 2) tile::commit_copies();
  }
  turn();
  Fragments<T> fragments;
  reader.load(fragments.a[0], fragments.b[0], 0, 0);
  int now = 0, filling = (T::stages - 1) * T::stage_bytes;
  for (int i = 0; i < writer.rows.count; ++i) {
    const int next = now + T::stage_bytes == T::bytes ? 0 : now + T::stage_bytes;
    const int row = writer.rows.row_of(i + T::stages - 1);
    multiply_stage<T>(
        sums, fragments,
        [&](auto& a, auto& b, int k) { reader.load(a, b, k % (T::depth / 16), k == T::depth / 16 ? next : now); },
        [&](int c) { writer.copy(c, filling, row); }, turn);
    filling = now;
    now = next;
  }
  tile::wait_copies<0>();
}

// Adds half a row of fragments to dw: all is read before anything is written, since a load that follows a store waits
// for memory.
template <class T, class Sum>
__device__ __forceinline__ void add_to(const Problem& p, int expert, int tile, int i, int half, Sum sum, float* dw) {
  const int lane = threadIdx.x % 32;
  const int m = tile / p.tiles_n * T::M + T::fragment_row(i) + tile::result_row(lane, 2 * half);
  const int n = tile % p.tiles_n * T::N + T::warp_column() + tile::result_column(lane, 0);
  if (m >= p.g.left) return;
  auto* row = reinterpret_cast<float2*>(dw + (expert * p.g.left + m) * p.g.right + n);
  float2 old[2 * T::b_frags];
#pragma unroll
  for (int j = 0; j < 2 * T::b_frags; ++j)
    if (n + j * 8 < p.g.right) old[j] = row[j * 4];
#pragma unroll
  for (int j = 0; j < 2 * T::b_frags; ++j)
    if (n + j * 8 < p.g.right) row[j * 4] = make_float2(old[j].x + sum(j).x, old[j].y + sum(j).y);
}

// Adds a whole tile to dw by way of shared memory, where each thread keeps its own: the registers can't hold both.
template <class T>
__device__ __forceinline__ void add_whole(const Problem& p, const Piece& piece, const Sums<T>& sums, char* shared,
                                          float* dw) {
  auto* mine = reinterpret_cast<float4*>(shared) + threadIdx.x;
  static_assert(T::M * T::N * 4 <= T::bytes);
  __syncthreads();  // the last stage may still be read
#pragma unroll
  for (int i = 0; i < T::a_frags; ++i)
#pragma unroll
    for (int j = 0; j < 2 * T::b_frags; ++j)
      mine[(i * 2 * T::b_frags + j) * T::threads] =
          make_float4(sums[i][j][0], sums[i][j][1], sums[i][j][2], sums[i][j][3]);
#pragma unroll 1
  for (int part = 0; part < 2 * T::a_frags; ++part)
    add_to<T>(
        p, piece.expert, piece.tile, part / 2, part % 2,
        [&](int j) {
          return reinterpret_cast<const float2*>(mine + (part / 2 * 2 * T::b_frags + j) * T::threads)[part % 2];
        },
        dw);
}

template <class T>
__global__ void __launch_bounds__(T::threads, T::blocks_per_sm) sum_shares(Problem p, float* dw, float4* partial) {
  extern __shared__ __align__(1024) char stages[];
  __shared__ int first[most_grouped_experts + 1];
  first_steps<T>(p, first);
  const int share = static_cast<int>(blockIdx.x);
  const uint32_t shared = tile::shared_address(stages);
  for_pieces<T>(p, first, share, [&](const Piece& piece, int length) {
    Sums<T> sums = {};
    sum_piece<T>(p, piece, length, shared, sums);
    if (piece.whole()) return add_whole<T>(p, piece, sums, stages, dw);
    float4* place = partial + place_of<T>(share, piece.begin == 0);
#pragma unroll
    for (int i = 0; i < T::a_frags; ++i)
#pragma unroll
      for (int j = 0; j < 2 * T::b_frags; ++j)
        place[(i * 2 * T::b_frags + j) * T::threads + threadIdx.x] =
            make_float4(sums[i][j][0], sums[i][j][1], sums[i][j][2], sums[i][j][3]);
  });
}

template <class T>
void launch(const GroupedWeightGradient& g, float* dw, float* workspace, void* stream) {
  const Problem p = problem_of<T>(g);
  auto* partial = reinterpret_cast<float4*>(workspace);
  cudaFuncSetAttribute(sum_shares<T>, cudaFuncAttributeMaxDynamicSharedMemorySize, T::bytes);
  sum_shares<T><<<T::shares, T::threads, T::bytes, stream_of(stream)>>>(p, dw, partial);
  check_launch("grouped_weight_gradient: sum_shares");
  add_up<T>(p, dw, partial, stream);
}

// Large tiles read less, where the card can hold them and they aren't mostly padding.
bool large(const GroupedWeightGradient& g) {
  const int bytes = device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);
  const int64_t padded = int64_t{tiles_of(g.left, Large::M)} * Large::M,
                least = int64_t{tiles_of(g.left, Small::M)} * Small::M;
  return bytes >= Large::bytes + 4096 && 4 * padded <= 5 * least;
}

}  // namespace

bool has_hopper_products() {
  return device_attribute(cudaDevAttrComputeCapabilityMajor) == 9;
}

int64_t grouped_weight_gradient_workspace(const GroupedWeightGradient& gradient) {
  static_assert(grouped_hopper_workspace == 2 * Large::shares * Large::M * Large::N);
  return large(gradient) ? workspace_of<Large>() : workspace_of<Small>();
}

void grouped_weight_gradient(const GroupedWeightGradient& gradient, float* dw, float* workspace, void* stream) {
  if (gradient.experts < 1 || gradient.experts > most_grouped_experts || gradient.left % 8 || gradient.right % 8)
    throw std::runtime_error("grouped_weight_gradient: E <= 256 and widths that are multiples of 8 must hold");
  if (large(gradient) && has_hopper_products())
    grouped_weight_gradient_hopper(gradient, dw, workspace, stream);
  else if (large(gradient))
    launch<Large>(gradient, dw, workspace, stream);
  else
    launch<Small>(gradient, dw, workspace, stream);
}

}  // namespace absorb::kernels
