// Persistent blocks walk the tiles of y, rows outermost; the ring of stages runs on from one tile into the next, so
// that a tile's stores meet the next one's loads.
#include <cuda_runtime.h>

#include <algorithm>
#include <stdexcept>

#include "moe/cuda/block_product.cuh"
#include "moe/cuda/first_steps.cuh"
#include "moe/cuda/grouped/grouped.cuh"
#include "tensors/cuda/launch.cuh"

namespace absorb::kernels {
namespace {

constexpr int depth = 64;  // depth: of a step over `in`

using Large = BlockTile<256, 128, 4, 1>;
using Small = BlockTile<128, 128, 3, 2>;

struct Problem {
  GroupedProduct g;
  int tiles_n, steps;  // tiles across y, steps over `in`
};

// The tile that a block is at, from the number in the walk.
struct At {
  int expert, row, row_end, n;
};

template <class T>
__device__ __forceinline__ At tile_at(const Problem& p, const int* first, int number, int expert) {
  const int row_tile = number / p.tiles_n;
  while (first[expert + 1] <= row_tile) ++expert;
  const int begin = expert ? p.g.ends[expert - 1] : 0;
  return {expert, begin + (row_tile - first[expert]) * T::M, p.g.ends[expert], number % p.tiles_n * T::N};
}

// What this thread copies of the tile that the ring is filled with.
template <class T, ExpertMatrix matrix>
struct Loader {
  static constexpr bool out_in = matrix == ExpertMatrix::out_in;
  static constexpr int threads = T::threads, a_chunks = depth / 8, a_pass = threads / a_chunks;
  static constexpr int w_width = out_in ? depth : T::N, w_chunks = w_width / 8, w_pass = threads / w_chunks;
  const Problem& p;
  At at;

  // Copy c of a step: first those of a, then those of the matrix.
  __device__ __forceinline__ void copy(int c, int step, uint32_t stage) const {
    if (c < T::a_copies)
      copy_a(c, step, stage);
    else
      copy_w(c - T::a_copies, step, stage);
  }

  __device__ __forceinline__ void copy_a(int i, int step, uint32_t stage) const {
    const int row = threadIdx.x / a_chunks, chunk = threadIdx.x % a_chunks, k = step * depth + chunk * 8;
    const int source = at.row + i * a_pass + row;
    const bool inside = source < at.row_end && k < p.g.in;
    tile::copy_async(stage + static_cast<uint32_t>(tile::offset<depth>(row, chunk) + i * a_pass * depth * 2),
                     p.g.a + (inside ? source * p.g.in + k : 0), inside);
  }

  __device__ __forceinline__ void copy_w(int i, int step, uint32_t stage) const {
    const int row = threadIdx.x / w_chunks + i * w_pass, chunk = threadIdx.x % w_chunks, c = chunk * 8;
    const int n = at.n + (out_in ? row : c), k = step * depth + (out_in ? c : row);
    const bool inside = n < p.g.out && k < p.g.in;
    const int64_t from = out_in ? (at.expert * p.g.out + n) * p.g.in + k : (at.expert * p.g.in + k) * p.g.out + n;
    tile::copy_async(stage + static_cast<uint32_t>(T::a_bytes + tile::offset<w_width>(row, chunk)),
                     p.g.w + (inside ? from : 0), inside);
  }
};

// Where this lane finds its fragments.
template <class T, ExpertMatrix matrix>
struct Reader {
  static constexpr bool out_in = matrix == ExpertMatrix::out_in;
  uint32_t a_at, b_at;

  __device__ __forceinline__ explicit Reader(uint32_t shared) {
    const int lane = threadIdx.x % 32;
    const int a = T::warp_row() * depth * 2 + tile::offset<depth>(tile::across_row(lane), tile::across_chunk(lane));
    const int b = out_in
                      ? T::warp_column() * depth * 2 + tile::offset<depth>(tile::down_row(lane), tile::down_chunk(lane))
                      : tile::offset<T::N>(tile::across_row(lane), T::warp_column() / 8 + tile::across_chunk(lane));
    a_at = shared + static_cast<uint32_t>(a);
    b_at = shared + static_cast<uint32_t>(T::a_bytes + b);
  }

  __device__ __forceinline__ void load(uint32_t (&a)[T::a_frags][4], uint32_t (&b)[T::b_frags][4], int k,
                                       int stage_offset) const {
    const uint32_t a_stage = a_at + static_cast<uint32_t>(stage_offset);
    const uint32_t b_stage = b_at + static_cast<uint32_t>(stage_offset);
    constexpr uint32_t block = 16 * depth * 2;
#pragma unroll
    for (uint32_t i = 0; i < T::a_frags; ++i)
      tile::load_matrices(a[i], (a_stage + i * block) ^ static_cast<uint32_t>(k * 32));
#pragma unroll
    for (uint32_t j = 0; j < T::b_frags; ++j)
      if constexpr (out_in)
        tile::load_matrices(b[j], (b_stage + j * block) ^ static_cast<uint32_t>(k * 32));
      else
        tile::load_transposed(b[j], (b_stage ^ (j * 32)) + static_cast<uint32_t>(k * 16 * T::N * 2));
  }
};

// Fills the ring, ahead of what is multiplied: the walk over tiles once more, step by step.
template <class T, ExpertMatrix matrix>
struct Filler {
  const Problem& p;
  const int* first;
  int tiles;
  uint32_t shared;
  int number, step = 0;  // of the tile and in it
  Loader<T, matrix> loader;

  __device__ __forceinline__ Filler(const Problem& p_, const int* first_, int tiles_, uint32_t shared_)
      : p(p_), first(first_), tiles(tiles_), shared(shared_), number(static_cast<int>(blockIdx.x)), loader{p_, {}} {
    if (number < tiles) loader.at = tile_at<T>(p, first, number, 0);
  }

  __device__ __forceinline__ void copy(int c, int stage_offset) const {
    if (number < tiles) loader.copy(c, step, shared + static_cast<uint32_t>(stage_offset));
  }

  // After a step's last copy.
  __device__ __forceinline__ void step_on() {
    tile::commit_copies();
    if (number >= tiles || ++step < p.steps) return;
    step = 0;
    number += static_cast<int>(gridDim.x);
    if (number < tiles) loader.at = tile_at<T>(p, first, number, loader.at.expert);
  }
};

// Transposes the 4 x 4 words of four neighbouring lanes: word c of lane x becomes word x of lane c.
__device__ __forceinline__ void transpose(uint32_t (&word)[4], int corner) {
#pragma unroll
  for (int step = 1; step <= 2; step *= 2) {
    const bool upper = corner & step;
#pragma unroll
    for (int c = 0; c < 4; ++c)
      if (!(c & step)) {
        const uint32_t got = __shfl_xor_sync(0xffffffffu, upper ? word[c] : word[c + step], step);
        (upper ? word[c] : word[c + step]) = got;
      }
  }
}

// Rounds and stores a tile, and clears the sums. Four neighbouring lanes hold a row's 32 columns as 4 x 2 each; they
// trade them so that each stores 8 neighbours, 16 bytes.
template <class T>
__device__ __forceinline__ void store_tile(const Problem& p, const At& at, Sums<T>& sums, Bf16* y) {
  const int lane = threadIdx.x % 32, corner = lane % 4, n0 = at.n + T::warp_column() + corner * 8;
#pragma unroll
  for (int i = 0; i < T::a_frags; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = at.row + T::warp_row() + i * 16 + tile::result_row(lane, 2 * half);
      Bf16* to = y + row * p.g.out + n0;
#pragma unroll
      for (int j = 0; j < 2 * T::b_frags; j += 4) {
        uint32_t word[4];
#pragma unroll
        for (int c = 0; c < 4; ++c) word[c] = tile::packed(sums[i][j + c][2 * half], sums[i][j + c][2 * half + 1]);
        transpose(word, corner);
        if (row < at.row_end && n0 + j * 8 < p.g.out)
          *reinterpret_cast<uint4*>(to + j * 8) = make_uint4(word[0], word[1], word[2], word[3]);
      }
    }
#pragma unroll
  for (int i = 0; i < T::a_frags; ++i)
#pragma unroll
    for (int j = 0; j < 2 * T::b_frags; ++j)
#pragma unroll
      for (int c = 0; c < 4; ++c) sums[i][j][c] = 0;
}

template <class T, ExpertMatrix matrix>
__global__ void __launch_bounds__(T::threads, T::blocks_per_sm) multiply_tiles(Problem p, Bf16* y) {
  extern __shared__ __align__(1024) char memory[];
  __shared__ int first[most_grouped_experts + 1];
  first_of_experts(p.g.ends, static_cast<int>(p.g.experts), first, [](int rows) { return (rows + T::M - 1) / T::M; });
  const int tiles = first[p.g.experts] * p.tiles_n, blocks = static_cast<int>(gridDim.x);
  const uint32_t shared = tile::shared_address(memory);
  Filler<T, matrix> filler(p, first, tiles, shared);
#pragma unroll
  for (int i = 0; i < T::stages - 1; ++i) {
#pragma unroll
    for (int c = 0; c < T::copies; ++c) filler.copy(c, i * T::stage_bytes);
    filler.step_on();
  }
  const Reader<T, matrix> reader(shared);
  Sums<T> sums = {};
  Fragments<T> fragments;
  tile::wait_copies<T::stages - 2>();
  __syncthreads();
  reader.load(fragments.a[0], fragments.b[0], 0, 0);
  int now = 0, filled = (T::stages - 1) * T::stage_bytes, expert = 0;
  for (int number = static_cast<int>(blockIdx.x); number < tiles; number += blocks) {
    for (int step = 0; step < p.steps; ++step) {
      const int next = now + T::stage_bytes == T::bytes ? 0 : now + T::stage_bytes;
      multiply_stage<T>(
          sums, fragments,
          [&](auto& a, auto& b, int k) { reader.load(a, b, k % (depth / 16), k == depth / 16 ? next : now); },
          [&](int c) { filler.copy(c, filled); },
          [&] {
            filler.step_on();
            tile::wait_copies<T::stages - 2>();
            __syncthreads();
          });
      filled = now;
      now = next;
    }
    const At at = tile_at<T>(p, first, number, expert);
    expert = at.expert;
    store_tile<T>(p, at, sums, y);
  }
}

template <class T, ExpertMatrix matrix>
void launch(const GroupedProduct& g, Bf16* y, int blocks, void* stream) {
  const Problem p{g, static_cast<int>((g.out + T::N - 1) / T::N), static_cast<int>((g.in + depth - 1) / depth)};
  cudaFuncSetAttribute(multiply_tiles<T, matrix>, cudaFuncAttributeMaxDynamicSharedMemorySize, T::bytes);
  const int64_t most = ((g.rows + T::M - 1) / T::M + g.experts) * p.tiles_n;  // whatever `ends` are
  const auto grid = static_cast<unsigned>(std::min<int64_t>(most, int64_t{T::blocks_per_sm} * blocks));
  multiply_tiles<T, matrix><<<grid, T::threads, T::bytes, stream_of(stream)>>>(p, y);
  check_launch("grouped_product");
}

template <class T>
void launch(const GroupedProduct& g, Bf16* y, int multiprocessors, void* stream) {
  if (g.matrix == ExpertMatrix::out_in)
    launch<T, ExpertMatrix::out_in>(g, y, multiprocessors, stream);
  else
    launch<T, ExpertMatrix::in_out>(g, y, multiprocessors, stream);
}

}  // namespace

void grouped_product(const GroupedProduct& product, Bf16* y, void* stream) {
  if (product.experts < 1 || product.experts > most_grouped_experts || product.in % 8 || product.out % 8)
    throw std::runtime_error("grouped_product: E <= 256 and widths that are multiples of 8 must hold");
  if (product.rows == 0 || product.out == 0) return;
  const int bytes = device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);
  const int multiprocessors = device_attribute(cudaDevAttrMultiProcessorCount);
  // Every element is one sum in one order whichever tile has it: the choice changes no bit.
  const int64_t tiles = (product.rows + Large::M - 1) / Large::M * ((product.out + Large::N - 1) / Large::N);
  if (bytes >= Large::bytes + 4096 && tiles >= 3 * multiprocessors)
    launch<Large>(product, y, multiprocessors, stream);
  else
    launch<Small>(product, y, multiprocessors, stream);
}

}  // namespace absorb::kernels
