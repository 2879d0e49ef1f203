// Persistent blocks, one share of schedule.cuh each: operands come row by row through a ring of stages (cp.async), both
// transposed by ldmatrix, since the rows are what is summed over. Shares write whole tiles to dw and parts of tiles to
// the workspace, which a second launch adds in the order of the shares.
#include <cuda_runtime.h>

#include <algorithm>
#include <stdexcept>

#include "core/cuda/launch.cuh"
#include "moe/cuda/block_product.cuh"
#include "moe/cuda/first_steps.cuh"
#include "moe/cuda/grouped.cuh"
#include "moe/cuda/schedule.cuh"
#include "router/cuda/tile.cuh"

namespace absorb::kernels {
namespace {

using schedule::Piece;

// Shares are those that fill an H100, everywhere: another number would be another order of sums.
struct Large : BlockTile<256, 128, 4, 1> {
  static constexpr int shares = 132;
};
struct Small : BlockTile<128, 128, 3, 2> {
  static constexpr int shares = 264;
};

struct Problem {
  GroupedWeightGradient g;
  int tiles_m, tiles_n;

  __host__ __device__ int tiles() const { return tiles_m * tiles_n; }
};

// first [E+1], by all threads of the block.
template <class T>
__device__ void first_steps(const Problem& p, int* first) {
  first_of_experts(p.g.ends, static_cast<int>(p.g.experts), first,
                   [&](int rows) { return schedule::steps_of(rows, T::depth) * p.tiles(); });
}

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

// The copies of a piece's steps, which begin at its rotation.
template <class T>
struct Writer {
  Loader<T::M, T::depth, T::threads> a;
  Loader<T::N, T::depth, T::threads> b;
  int row_begin, row_end, start, end, count;

  __device__ __forceinline__ Writer(const Problem& p, const Piece& piece, int share_length, uint32_t shared)
      : a(p.g.a, p.g.left, piece.tile / p.tiles_n * T::M, shared),
        b(p.g.b, p.g.right, piece.tile % p.tiles_n * T::N, shared + T::a_bytes),
        row_begin(piece.expert ? p.g.ends[piece.expert - 1] : 0),
        row_end(p.g.ends[piece.expert]),
        start(schedule::rotation(piece, share_length)),
        end(piece.end),
        count(piece.end - piece.begin) {}

  // The first row of the i-th step; past all rows where there is none.
  __device__ __forceinline__ int row_of(int i) const {
    if (i >= count) return row_end;
    return row_begin + (start + i < end ? start + i : start + i - count) * T::depth;
  }
  __device__ __forceinline__ void copy(int c, int stage_offset, int row) const {
    if (c < T::a_copies)
      a.copy(c, stage_offset, row, row_end);
    else
      b.copy(c - T::a_copies, stage_offset, row, row_end);
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
    for (int c = 0; c < T::copies; ++c) writer.copy(c, i * T::stage_bytes, writer.row_of(i));
    if (i < T::stages - 2) tile::commit_copies();
  }
  turn();
  Fragments<T> fragments;
  reader.load(fragments.a[0], fragments.b[0], 0, 0);
  int now = 0, filling = (T::stages - 1) * T::stage_bytes;
  for (int i = 0; i < writer.count; ++i) {
    const int next = now + T::stage_bytes == T::bytes ? 0 : now + T::stage_bytes;
    const int row = writer.row_of(i + T::stages - 1);
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
  const int m = tile / p.tiles_n * T::M + T::warp_row() + i * 16 + tile::result_row(lane, 2 * half);
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
  const int share = blockIdx.x;
  const int total = first[p.g.experts], length = (total + T::shares - 1) / T::shares;
  const int begin = schedule::share_begin(total, share, T::shares);
  const int end = schedule::share_begin(total, share + 1, T::shares);
  // The tile that begins here and ends elsewhere comes first: its rows are those that others begin with.
  int tail = end;
  if (begin < end) {
    const Piece last = schedule::piece_at(first, p.tiles(), end - 1, end);
    if (last.end < last.steps && end - last.end >= begin) tail = end - last.end;
  }
  const uint32_t shared = tile::shared_address(stages);
  int at = tail < end ? tail : begin;
  while (begin < end) {
    const int until = at >= tail ? end : tail;
    const Piece piece = schedule::piece_at(first, p.tiles(), at, until);
    Sums<T> sums = {};
    sum_piece<T>(p, piece, length, shared, sums);
    float4* place =
        partial + static_cast<int64_t>(schedule::partial_place(share, piece.begin == 0)) * (T::M * T::N / 4);
    if (piece.whole()) {
      add_whole<T>(p, piece, sums, stages, dw);
    } else {
#pragma unroll
      for (int i = 0; i < T::a_frags; ++i)
#pragma unroll
        for (int j = 0; j < 2 * T::b_frags; ++j)
          place[(i * 2 * T::b_frags + j) * T::threads + threadIdx.x] =
              make_float4(sums[i][j][0], sums[i][j][1], sums[i][j][2], sums[i][j][3]);
    }
    const int next = at + piece.end - piece.begin;
    if (at >= tail)
      at = begin;
    else
      at = next;
    if (at >= tail) break;
  }
}

// A block of add_partials adds so many neighbouring fragments of a tile, and reads so many shares at once: on an H100
// as fast as any for 32 tiles and for 72. Fewer blocks wait for memory, more of them for finding their place.
constexpr int together = 4, ahead = 2;

// The numbers of dw that a thread adds its sums to.
template <class T>
struct Targets {
  int rows, columns;  // that are there, from this thread's first on
  float2* at;
  int64_t below;  // from a fragment's upper row to its lower one
  float2 old[2][together];

  __device__ __forceinline__ Targets(const Problem& p, int expert, int tile, int fragment, float* dw) {
    constexpr int across = 2 * T::b_frags;
    static_assert(across % together == 0);
    const int lane = threadIdx.x % 32;
    const int m = tile / p.tiles_n * T::M + T::warp_row() + fragment / across * 16 + tile::result_row(lane, 0);
    const int n = tile % p.tiles_n * T::N + T::warp_column() + fragment % across * 8 + tile::result_column(lane, 0);
    rows = static_cast<int>(p.g.left) - m;
    columns = static_cast<int>(p.g.right) - n;
    at = reinterpret_cast<float2*>(dw + (expert * p.g.left + m) * p.g.right + n);
    below = 4 * p.g.right;
    each([&](int half, int j, float2& number) { old[half][j] = number; });
  }
  template <class Visit>
  __device__ __forceinline__ void each(Visit visit) const {
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int j = 0; j < together; ++j)
        if (half * 8 < rows && j * 8 < columns) visit(half, j, at[half * below + j * 4]);
  }
  __device__ __forceinline__ void add(const float4 (&sums)[together]) const {
    each([&](int half, int j, float2& number) {
      const float2 more = half ? make_float2(sums[j].z, sums[j].w) : make_float2(sums[j].x, sums[j].y);
      number = make_float2(old[half][j].x + more.x, old[half][j].y + more.y);
    });
  }
};

__device__ __forceinline__ void add_where(bool there, float4& sum, const float4& more) {
  sum.x += there ? more.x : 0;
  sum.y += there ? more.y : 0;
  sum.z += there ? more.z : 0;
  sum.w += there ? more.w : 0;
}

template <class T>
__global__ void __launch_bounds__(T::threads) add_partials(Problem p, float* dw, const float4* partial) {
  __shared__ int first[most_grouped_experts + 1];
  first_steps<T>(p, first);
  const int expert = blockIdx.x / p.tiles(), tile = blockIdx.x % p.tiles(), fragment = blockIdx.y * together;
  const int total = first[p.g.experts], steps = (first[expert + 1] - first[expert]) / p.tiles();
  if (steps == 0) return;
  const int begin = first[expert] + tile * steps;
  const int from = schedule::share_of(begin, total, T::shares);
  const int to = schedule::share_of(begin + steps - 1, total, T::shares);
  if (from == to) return;
  const Targets<T> targets(p, expert, tile, fragment, dw);  // read early
  float4 sums[together] = {};
  for (int share = from; share <= to; share += ahead) {
    float4 more[ahead][together];
    bool there[ahead];
#pragma unroll
    for (int i = 0; i < ahead; ++i) {
      // What isn't there is read from elsewhere and left out: after a branch the loads would wait for each other.
      const int read = share + i < to ? share + i : to, share_begin = schedule::share_begin(total, read, T::shares);
      there[i] = share + i <= to && share_begin < schedule::share_begin(total, read + 1, T::shares);
      const int64_t place = schedule::partial_place(read, share_begin <= begin);
#pragma unroll
      for (int j = 0; j < together; ++j)
        more[i][j] = partial[place * (T::M * T::N / 4) + (fragment + j) * T::threads + threadIdx.x];
    }
#pragma unroll
    for (int i = 0; i < ahead; ++i)
#pragma unroll
      for (int j = 0; j < together; ++j) add_where(there[i], sums[j], more[i][j]);
  }
  targets.add(sums);
}

int tiles_of(int64_t size, int tile) {
  return static_cast<int>((size + tile - 1) / tile);
}

template <class T>
Problem problem_of(const GroupedWeightGradient& g) {
  return {g, tiles_of(g.left, T::M), tiles_of(g.right, T::N)};
}

template <class T>
int64_t workspace_of() {
  return int64_t{2} * T::shares * T::M * T::N;
}

template <class T>
void launch(const GroupedWeightGradient& g, float* dw, float* workspace, void* stream) {
  const Problem p = problem_of<T>(g);
  auto* partial = reinterpret_cast<float4*>(workspace);
  cudaFuncSetAttribute(sum_shares<T>, cudaFuncAttributeMaxDynamicSharedMemorySize, T::bytes);
  sum_shares<T><<<T::shares, T::threads, T::bytes, stream_of(stream)>>>(p, dw, partial);
  check_launch("grouped_weight_gradient: sum_shares");
  const dim3 grid(static_cast<unsigned>(g.experts * p.tiles()), T::a_frags * 2 * T::b_frags / together);
  add_partials<T><<<grid, T::threads, 0, stream_of(stream)>>>(p, dw, partial);
  check_launch("grouped_weight_gradient: add_partials");
}

// Large tiles read less, where the card can hold them and they aren't mostly padding.
bool large(const GroupedWeightGradient& g) {
  int device = 0, bytes = 0;
  if (cudaGetDevice(&device) != cudaSuccess ||
      cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device) != cudaSuccess)
    throw std::runtime_error("grouped_weight_gradient: the device does not answer");
  const int64_t padded = int64_t{tiles_of(g.left, Large::M)} * Large::M,
                least = int64_t{tiles_of(g.left, Small::M)} * Small::M;
  return bytes >= Large::bytes + 4096 && 4 * padded <= 5 * least;
}

}  // namespace

bool has_hopper_products() {
  int device = 0, major = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
  return major == 9;
}

int64_t grouped_weight_gradient_workspace(const GroupedWeightGradient& gradient) {
  return large(gradient) ? workspace_of<Large>() : workspace_of<Small>();
}

void grouped_weight_gradient(const GroupedWeightGradient& gradient, float* dw, float* workspace, void* stream) {
  if (gradient.experts < 1 || gradient.experts > most_grouped_experts || gradient.left % 8 || gradient.right % 8)
    throw std::runtime_error("grouped_weight_gradient: E <= 256 and widths that are multiples of 8 must hold");
  if (large(gradient))
    launch<Large>(gradient, dw, workspace, stream);
  else
    launch<Small>(gradient, dw, workspace, stream);
}

}  // namespace absorb::kernels
