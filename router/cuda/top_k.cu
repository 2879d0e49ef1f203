// A block takes 16 items of a head: its warps compute their scores by tensor cores into shared memory, 16 choices at a
// time, then each warp selects in whole rows held in registers.
#include <cuda_runtime.h>

#include <stdexcept>

#include "router/cuda/score.cuh"
#include "router/cuda/select.cuh"
#include "router/cuda/top_k.cuh"
#include "tensors/cuda/launch.cuh"

namespace absorb::kernels {
namespace {

constexpr int rows = 16, step = 16;  // items of a block, choices of a warp's step

using select::Normal;

// Rows of up to 32 * Vectors choices; each warp has Ring steps of choices under way.
template <int Rank_, int Vectors_, int Warps_, int BlocksPerSm_, int Ring_>
struct Shape {
  static constexpr int Rank = Rank_, vectors = Vectors_, warps = Warps_, threads = 32 * Warps_, ring = Ring_;
  static constexpr int blocks_per_sm = BlocksPerSm_;
  static constexpr int pitch = 32 * Vectors_ + 8;  // floats: the 8 leaves no two rows of a result in one bank
  static constexpr int step_bytes = step * Rank * 2, items_bytes = rows * Rank * 2;
  static constexpr int bytes = items_bytes + warps * ring * step_bytes + rows * pitch * 4;
};

// Makes the compiler hold on to a number that it would otherwise work out again in every turn of a loop.
template <class T>
__device__ __forceinline__ void hold(T& number) {
  asm volatile("" : "+r"(number));
}

// Copies of `step` rows of a factor at a time by a warp, each call further by `jump` rows.
template <int Rank>
struct Copier {
  static constexpr int chunks = Rank / 8, passes = step * chunks / 32, pass = 32 / chunks;
  const Bf16* from;  // this lane's 16 bytes of the next step's row
  int64_t pass_stride, jump_stride;
  uint32_t to;
  int row;  // far away where this lane's columns are past the rank

  __device__ __forceinline__ Copier(const Bf16* rows_at, int64_t stride, int rank, int first, int jump, uint32_t shared,
                                    int lane)
      : pass_stride(stride * pass), jump_stride(stride * jump), row(lane / chunks) {
    const int column = lane % chunks * 8;
    const bool inside = column < rank;
    from = rows_at + (first + row) * stride + (inside ? column : 0);
    to = shared + static_cast<uint32_t>(tile::offset<Rank>(row, lane % chunks));
    if (!inside) row = 1 << 30;
    hold(to);
    hold(row);
  }

  // Copies a step of which `valid` rows are there.
  __device__ __forceinline__ void copy(int valid, int ring_offset) {
#pragma unroll
    for (int i = 0; i < passes; ++i) {
      // Rows in one pass and the next differ by 8, or (Rank 64) by 4, which the swizzle sees.
      const uint32_t other = pass % 8 == 0 ? 0 : static_cast<uint32_t>(i % 2 * 64);
      const uint32_t at = (to + static_cast<uint32_t>(i * pass * Rank * 2)) ^ other;
      tile::copy_async(at + static_cast<uint32_t>(ring_offset), from + i * pass_stride, row + i * pass < valid);
    }
    from += jump_stride;
  }
};

// Scores of 16 choices from `begin` on to shared memory; `corner` is where this lane's first one is for choice 0.
template <class S, bool Diagonal>
__device__ __forceinline__ void store_scores(const float (&g)[2][4], score::Line line, bool self, int first_item,
                                             int begin, int corner, float* scores) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int n = 0; n < 2; ++n)
#pragma unroll
    for (int i = 0; i < 4; i += 2) {
      float2 two = make_float2(score::raw(g[n][i], line), score::raw(g[n][i + 1], line));
      if constexpr (Diagonal) {
        const int own = first_item + tile::result_row(lane, i);
        const int choice = begin + 8 * n + tile::result_column(lane, i);
        if (choice > own) two.x = -INFINITY;
        if (choice + 1 > own) two.y = -INFINITY;
        if (self && choice == own) two.x = INFINITY;
        if (self && choice + 1 == own) two.y = INFINITY;
      }
      *reinterpret_cast<float2*>(scores + corner + begin + i / 2 * 8 * S::pitch + 8 * n) = two;
    }
}

// Hides the choices that no step covers, up to a multiple of 128.
template <class S>
__device__ __forceinline__ void hide_rest(int seen, float* scores) {
  const int begin = (seen + step - 1) / step * step, end = (seen + 127) / 128 * 128;
  for (int row = threadIdx.x / 32; row < rows; row += S::warps)
    for (int choice = begin + static_cast<int>(threadIdx.x) % 32; choice < end; choice += 32)
      scores[row * S::pitch + choice] = -INFINITY;
}

// Scores of the block's items and choices [0, seen) into scores[row * pitch + choice]; hidden ones are -inf, up to a
// multiple of 128 choices, and the own one +inf if it must stay. NaN stays NaN.
template <class S>
__device__ __forceinline__ void score_rows(const TopKeys& top, int batch, int head, int first_item, int seen,
                                           uint32_t shared, float* scores) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, rank = static_cast<int>(top.rank);
  const Bf16* items = top.of_items.data + batch * top.of_items.batch + head * top.of_items.head;
  const Bf16* choices = top.of_choices.data + batch * top.of_choices.batch + head * top.of_choices.head;
  const uint32_t mine = shared + static_cast<uint32_t>(S::items_bytes + warp * S::ring * S::step_bytes);
  Copier<S::Rank> copier(choices, top.of_choices.item, rank, warp * step, S::warps * step, mine, lane);
  const auto copy = [&](int begin, int ring_offset) {
    if (begin < seen) copier.copy(seen - begin, ring_offset);
    tile::commit_copies();
  };
  if (warp == 0)
    Copier<S::Rank>(items, top.of_items.item, rank, first_item, 0, shared, lane).copy(seen - first_item, 0);
#pragma unroll
  for (int i = 0; i < S::ring - 1; ++i) copy((warp + i * S::warps) * step, i * S::step_bytes);
  hide_rest<S>(seen, scores);
  tile::wait_copies<S::ring - 2>();
  __syncthreads();  // the items are there
  const score::Line line = score::line_of(top.factor, top.scale, top.shift, head);
  uint32_t across = tile::across_address<S::Rank>(shared, lane), down = tile::down_address<S::Rank>(mine, lane);
  int corner = tile::result_row(lane, 0) * S::pitch + tile::result_column(lane, 0), offset = 0;
  hold(across);
  hold(down);
  hold(corner);
  for (int begin = warp * step; begin < seen; begin += S::warps * step) {
    tile::wait_copies<S::ring - 2>();
    __syncwarp();
    copy(begin + (S::ring - 1) * S::warps * step, offset == 0 ? (S::ring - 1) * S::step_bytes : offset - S::step_bytes);
    float g[2][4] = {};
    score::dots<S::Rank, 2>(g, across, down + static_cast<uint32_t>(offset));
    if (begin + step > first_item)
      store_scores<S, true>(g, line, top.self, first_item, begin, corner, scores);
    else
      store_scores<S, false>(g, line, top.self, first_item, begin, corner, scores);
    offset = offset == (S::ring - 1) * S::step_bytes ? 0 : offset + S::step_bytes;
  }
}

template <class S>
__global__ void __launch_bounds__(S::threads, S::blocks_per_sm)
    select_keys(TopKeys top, int first_block, float* threshold, int32_t* last) {
  extern __shared__ __align__(1024) char memory[];
  __shared__ Normal normal[rows];
  float* scores = reinterpret_cast<float*>(memory + S::items_bytes + S::warps * S::ring * S::step_bytes);
  const int k = static_cast<int>(top.k), items = static_cast<int>(top.items);
  const int first_item = (first_block + static_cast<int>(gridDim.x - 1 - blockIdx.x)) * rows;  // the longest first
  const int head = blockIdx.y, batch = blockIdx.z;
  const int seen = min(first_item + rows, items);
  if (threadIdx.x < rows && first_item + static_cast<int>(threadIdx.x) + 1 >= k)
    normal[threadIdx.x] = select::normal_of(first_item + static_cast<int>(threadIdx.x) + 1, k);
  const bool any = seen >= k;  // else every row of the block sees too few to choose
  if (any) score_rows<S>(top, batch, head, first_item, seen, tile::shared_address(memory), scores);
  __syncthreads();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (int row = warp; row < seen - first_item; row += S::warps) {
    const int n = first_item + row + 1, vectors = (n + 31) / 32;
    float value = -INFINITY;
    int index = k - 1;
    if (n >= k) {
      float x[S::vectors];
#pragma unroll
      for (int i = 0; i < S::vectors; i += 4)
        if (i < vectors)
#pragma unroll
          for (int j = 0; j < 4; ++j)  // NaN becomes -inf
            x[i + j] = fmaxf(scores[row * S::pitch + 32 * (i + j) + lane], -INFINITY);
      const select::Found found = select::find(x, vectors, k, normal[row]);
      value = found.threshold;
      index = select::last_of(x, vectors, found);
    }
    if (lane == 0) {
      const int64_t to = (batch * top.heads + head) * items + first_item + row;
      threshold[to] = value;
      last[to] = index;
    }
  }
}

// Items [begin, end) of those that see at most 32 * vectors choices.
template <class S>
void launch_range(const TopKeys& top, int64_t begin, float* threshold, int32_t* last, void* stream) {
  const int64_t end = top.items < 32 * S::vectors ? top.items : 32 * S::vectors;
  if (end <= begin) return;
  cudaFuncSetAttribute(select_keys<S>, cudaFuncAttributeMaxDynamicSharedMemorySize, S::bytes);
  const dim3 grid(static_cast<unsigned>((end - begin + rows - 1) / rows), static_cast<unsigned>(top.heads),
                  static_cast<unsigned>(top.batch));
  select_keys<S>
      <<<grid, S::threads, S::bytes, stream_of(stream)>>>(top, static_cast<int>(begin / rows), threshold, last);
  check_launch("top_keys");
}

// Shapes by the items they reach: 512, 1024, 2048.
template <int Rank>
struct Shapes {
  using Short = Shape<Rank, 16, 8, Rank == 64 ? 3 : 4, 2>;
  using Middle = Shape<Rank, 32, 8, 2, Rank == 64 ? 2 : 4>;
  using Long = Shape<Rank, 64, 16, 1, Rank == 64 ? 2 : 4>;

  static int64_t most_items(int bytes) {
    const int available = bytes - static_cast<int>(sizeof(Normal)) * rows;
    return available >= Long::bytes ? 2048 : available >= Middle::bytes ? 1024 : available >= Short::bytes ? 512 : 0;
  }

  static void launch(const TopKeys& top, float* threshold, int32_t* last, void* stream) {
    launch_range<Long>(top, 1024, threshold, last, stream);
    launch_range<Middle>(top, 512, threshold, last, stream);
    launch_range<Short>(top, 0, threshold, last, stream);
  }
};

template <class Use>
auto with_rank(int64_t rank, Use use) {
  if (rank <= 16) return use(Shapes<16>());
  if (rank <= 32) return use(Shapes<32>());
  return use(Shapes<64>());
}

}  // namespace

int64_t most_top_keys_items(int64_t rank) {
  const int bytes = device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);
  return with_rank(rank, [&](auto shapes) { return decltype(shapes)::most_items(bytes); });
}

void top_keys(const TopKeys& top, float* threshold, int32_t* last, void* stream) {
  if (top.rank > 64 || top.rank % 8 || top.k < 1 || top.items > most_top_keys_items(top.rank))
    throw std::runtime_error("top_keys: T <= most_top_keys_items(), r <= 64 and a multiple of 8, and k >= 1 must hold");
  if (top.batch * top.heads * top.items == 0) return;
  with_rank(top.rank, [&](auto shapes) { decltype(shapes)::launch(top, threshold, last, stream); });
}

}  // namespace absorb::kernels
