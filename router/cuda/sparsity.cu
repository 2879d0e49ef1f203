#include "router/cuda/sparsity.cuh"

#include <stdexcept>

#include "router/cuda/place.cuh"
#include "router/cuda/score.cuh"
#include "tensors/cuda/launch.cuh"

namespace absorb::kernels {
namespace {

using namespace tile;

constexpr int sum_threads = 1024, tile_rows = 64;

template <int R>
struct Shared {
  static constexpr int narrow = tile_rows * R * 2;
  static constexpr int rows = 0, others = narrow, bytes = 3 * narrow;  // two stages of the other factor
};

__device__ __forceinline__ float tanh_fast(float x) {
  float y;
  asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

template <int R>
__device__ __forceinline__ void load_factor(const View& view, const Place& place, const Sparsity& call, uint32_t shared,
                                            int tile_index) {
  const int first = tile_index * tile_rows;
  tile::load_tile<R, tile_rows, threads>(shared, rows_of(view, place, first), view.item,
                                         rows_left(call.items, first, tile_rows), call.rank);
}

/// For every tile of the other factor: visit(t, address of the tile, its first row), t = tanh(g / 2) of this warp's 16
/// rows; sigmoid(g) = (1 + t) / 2.
template <int R, typename Visit>
__device__ __forceinline__ void visit_tiles(const Sparsity& call, const View& rows, const View& others,
                                            const Place& place, uint32_t shared, Visit&& visit) {
  using At = Shared<R>;
  constexpr int blocks = tile_rows / 8;
  const int lane = static_cast<int>(threadIdx.x) % 32, row0 = static_cast<int>(threadIdx.x) / 32 * 16;
  const int tiles = tiles_of(call.items, tile_rows);
  score::Line line = score::line_of(call.factor, call.scale, call.shift, place.head);
  line = {0.5f * line.multiplier, 0.5f * line.shift};
  load_factor<R>(rows, place, call, shared + At::rows, place.tile);
  load_factor<R>(others, place, call, shared + At::others, 0);
  tile::commit_copies();
  for (int j = 0; j < tiles; ++j) {
    tile::wait_copies<0>();
    __syncthreads();
    if (j + 1 < tiles) load_factor<R>(others, place, call, shared + At::others + (j + 1) % 2 * At::narrow, j + 1);
    tile::commit_copies();
    const uint32_t other_tile = shared + At::others + j % 2 * At::narrow;
    float t[blocks][4];
    score::dots<R, blocks>(t, tile::across_address<R>(shared + At::rows + row0 * R * 2, lane),
                           tile::down_address<R>(other_tile, lane));
#pragma unroll
    for (int n = 0; n < blocks; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) t[n][i] = tanh_fast(score::raw(t[n][i], line));
    visit(t, other_tile, j * tile_rows);
  }
}

/// Adds up a block's numbers in a fixed order; thread 0 gets the sum.
__device__ __forceinline__ float block_sum(float x) {
  __shared__ float sums[32];
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) x += __shfl_xor_sync(~0u, x, distance);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = x;
  __syncthreads();
  if (threadIdx.x == 0)
    for (unsigned warp = 1; warp < blockDim.x / 32; ++warp) x += sums[warp];
  return x;
}

/// Of 64 queries of one head against all keys: the sum of tanh(g / 2).
template <int R>
__global__ void __launch_bounds__(threads) partial_sums(const __grid_constant__ Sparsity call, float* partial) {
  extern __shared__ __align__(1024) unsigned char memory[];
  const Place place = place_of<tile_rows>(call, false);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int row = place.tile * tile_rows + static_cast<int>(threadIdx.x) / 32 * 16 + lane / 4;
  float sum[2] = {0, 0};
  visit_tiles<R>(call, call.of_items, call.of_choices, place, tile::shared_address(memory),
                 [&](const auto& t, uint32_t, int first_key) {
                   const int left = call.items - first_key - tile::result_column(lane, 0);
#pragma unroll
                   for (int n = 0; n < tile_rows / 8; ++n)
#pragma unroll
                     for (int i = 0; i < 4; ++i) sum[i / 2] += left > 8 * n + i % 2 ? t[n][i] : 0.0f;
                 });
  const float kept = (row < call.items ? sum[0] : 0.0f) + (row + 8 < call.items ? sum[1] : 0.0f);
  const float total = block_sum(kept);
  if (threadIdx.x == 0) partial[blockIdx.x] = total;
}

/// relu(target - (1 - mean)); no number stays none.
__device__ __forceinline__ float too_open(float target, float mean) {
  const float x = target - (1.0f - mean);
  return x < 0 ? 0.0f : x;
}

__global__ void __launch_bounds__(sum_threads)
    total_sum(const __grid_constant__ SparsityForward out, int n, double entries, float target) {
  float sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < n; i += sum_threads) sum += out.workspace[i];
  sum = block_sum(sum);
  if (threadIdx.x > 0) return;
  const float mean = static_cast<float>(0.5 + 0.5 * (sum / entries));
  out.mean[0] = mean;
  out.penalty[0] = too_open(target, mean) * too_open(target, mean);
}

__device__ __forceinline__ void write_zeros(const MutableView& out, const Place& place, const Sparsity& call) {
  const int first = place.tile * tile_rows, chunks = call.rank / 8;
  const int count = rows_left(call.items, first, tile_rows) * chunks;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += threads)
    *reinterpret_cast<uint4*>(rows_of(out, place, first + i / chunks) + i % chunks * 8) = uint4{0, 0, 0, 0};
}

/// d of 64 rows of one factor; blockIdx.y says which.
template <int R>
__global__ void __launch_bounds__(threads)
    factor_gradient(const __grid_constant__ Sparsity call, const __grid_constant__ SparsityBackward backward) {
  extern __shared__ __align__(1024) unsigned char memory[];
  const Place place = place_of<tile_rows>(call, false);
  const bool of_items = blockIdx.y == 0;
  const FactorGradient& out = of_items ? backward.items : backward.choices;
  const float slope = backward.gradient[0] * 2.0f * too_open(call.target, backward.mean[0]);
  if (slope == 0) {
    if (!out.add) write_zeros(out.to, place, call);
    return;
  }
  const int lane = static_cast<int>(threadIdx.x) % 32, row0 = static_cast<int>(threadIdx.x) / 32 * 16;
  const int items = call.items, first = place.tile * tile_rows;
  float gradient[R / 8][4];
  clear(gradient);
  visit_tiles<R>(
      call, of_items ? call.of_items : call.of_choices, of_items ? call.of_choices : call.of_items, place,
      tile::shared_address(memory),
      [&](auto& t, uint32_t other_tile, int) {  // rows beyond the last are 0: what multiplies them is nothing
#pragma unroll
        for (int n = 0; n < tile_rows / 8; ++n)
#pragma unroll
          for (int i = 0; i < 4; ++i) t[n][i] = fmaf(-t[n][i], t[n][i], 1.0f);  // 4 w (1 - w)
        tile::accumulate<R>(gradient, t, tile::across_address<R>(other_tile, lane));
      });
  const score::Line line = score::line_of(call.factor, call.scale, call.shift, place.head);
  const double entries = static_cast<double>(call.batch) * call.heads * items * items;
  const float factor = static_cast<float>(0.25 * static_cast<double>(slope) / entries) * line.multiplier;
  Bf16* rows = rows_of(out.to, place, first + row0);
  const int valid = rows_left(items, first, tile_rows) - row0;
  if (out.add)
    store_rows<R, true>(gradient, factor, factor, memory + row0 * R * 2, rows, out.to.item, valid, call.rank, lane);
  else
    store_rows<R>(gradient, factor, factor, memory + row0 * R * 2, rows, out.to.item, valid, call.rank, lane);
}

/// Calls launch.operator()<R>() with the rank's padded size.
template <typename Launch>
void with_rank(int rank, Launch&& launch) {
  if (rank <= 0 || rank > 64 || rank % 8 != 0) throw std::runtime_error("sparsity: the rank has no kernel");
  if (rank <= 16) return launch.template operator()<16>();
  if (rank <= 32) return launch.template operator()<32>();
  launch.template operator()<64>();
}

}  // namespace

int64_t sparsity_workspace(const Sparsity& call) {
  return blocks_of<tile_rows>(call);
}

void sparsity_forward(const Sparsity& call, const SparsityForward& out, void* stream) {
  const unsigned blocks = blocks_of<tile_rows>(call);
  with_rank(call.rank, [&]<int R>() {
    partial_sums<R><<<blocks, threads, Shared<R>::bytes, stream_of(stream)>>>(call, out.workspace);
  });
  check_launch("sparsity_forward");
  const double entries = static_cast<double>(call.batch) * call.heads * call.items * call.items;
  total_sum<<<1, sum_threads, 0, stream_of(stream)>>>(out, static_cast<int>(blocks), entries, call.target);
  check_launch("sparsity_forward, sum");
}

void sparsity_backward(const Sparsity& call, const SparsityBackward& backward, void* stream) {
  with_rank(call.rank, [&]<int R>() {
    factor_gradient<R>
        <<<dim3(blocks_of<tile_rows>(call), 2), threads, Shared<R>::bytes, stream_of(stream)>>>(call, backward);
  });
  check_launch("sparsity_backward");
}

}  // namespace absorb::kernels
