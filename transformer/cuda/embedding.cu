// Sorted tokens are cut into chunks. A chunk's threads own four columns each and walk it: runs that lie within it
// are added to dtoken at once; what reaches in from the chunk before or on into the next is left as a partial sum, and
// the chunk where a long run begins adds those up in a second launch.
#include "transformer/cuda/embedding.cuh"

#include <stdexcept>

#include "tensors/cuda/launch.cuh"
#include "tensors/cuda/vectors.cuh"
#include "transformer/cuda/sort_tokens.cuh"

namespace absorb::kernels {
namespace {

constexpr int threads = 256;

template <bool dropout>
__global__ void __launch_bounds__(threads)
    forward(const __grid_constant__ EmbeddingForward a, const __grid_constant__ RoundKeys keys) {
  const auto across = static_cast<uint32_t>(a.width) / 4, vector = blockIdx.x * threads + threadIdx.x;
  const uint32_t row = vector / across, column = vector % across * 4;
  if (row >= a.rows) return;
  const int64_t i = static_cast<int64_t>(vector) * 4;
  const int64_t item = row % static_cast<uint32_t>(a.items);
  Floats<4> x = load4(a.token, a.tokens[row] * a.width + column);
  const Floats<4> position = load4(a.position, item * a.width + column);
#pragma unroll
  for (int k = 0; k < 4; ++k) x.at[k] += position.at[k];
  if constexpr (dropout) {
    const Floats<4> keep = Mask(a.dropout, keys).four(i);
#pragma unroll
    for (int k = 0; k < 4; ++k) x.at[k] *= keep.at[k];
  }
  store(a.x, i, x);
}

__device__ __forceinline__ void add(Floats<4>& sum, const Floats<4>& x) {
#pragma unroll
  for (int k = 0; k < 4; ++k) sum.at[k] += x.at[k];
}

__device__ __forceinline__ void add_to(float* out, const Floats<4>& x) {
  Floats<4> sum = load4(out, 0);
  add(sum, x);
  store(out, 0, sum);
}

/// Gradient of the embedding at element i, from its stored bits.
template <bool dropout>
__device__ __forceinline__ Floats<4> masked(uint2 stored, const Mask& mask, int64_t i) {
  Floats<4> g = unpack(stored);
  if constexpr (dropout) {
    const Floats<4> keep = mask.four(i);
#pragma unroll
    for (int k = 0; k < 4; ++k) g.at[k] *= keep.at[k];
  }
  return g;
}

template <bool dropout>
__device__ __forceinline__ void add_position(const EmbeddingBackward& a, const Mask& mask, int64_t item,
                                             int64_t column) {
  Floats<4> sum = {};
#pragma unroll 8
  for (int64_t row = item; row < a.rows; row += a.items)
    add(sum, masked<dropout>(load4(a.dx, row * a.width + column), mask, row * a.width + column));
  add_to(a.dposition + item * a.width + column, sum);
}

/// The cut: short chunks while there are too few for the card, long ones for fewer partial sums.
struct Cut {
  int length;
  int64_t chunks;
  explicit Cut(int64_t rows) : length(rows < 16384 ? 16 : 32), chunks((rows + length - 1) / length) {}
};

/// A chunk's place in the sorted tokens.
struct Chunk {
  const uint32_t* keys;
  int begin, end, rows;
  __device__ __forceinline__ Chunk(const uint32_t* sorted, int64_t index, int length, int64_t count)
      : keys(sorted),
        begin(static_cast<int>(index) * length),
        end(min(begin + length, static_cast<int>(count))),
        rows(static_cast<int>(count)) {}
  /// Whether the run of the chunk's first (last) token also lies in the chunk before (after).
  __device__ __forceinline__ bool reaches_in() const { return begin > 0 && keys[begin - 1] == keys[begin]; }
  __device__ __forceinline__ bool reaches_on() const { return end < rows && keys[end] == keys[end - 1]; }
};

/// Sums the chunk's runs at columns [column, column + 4). Partials: [chunks, 2, D], first what reaches in.
template <bool dropout>
__device__ __forceinline__ void add_tokens(const EmbeddingBackward& a, const Mask& mask, const SortedTokens& sorted,
                                           int64_t index, int length, int64_t column) {
  constexpr int ahead = 4;
  const Chunk c(sorted.keys, index, length, a.rows);
  float* partials = static_cast<float*>(a.workspace) + index * 2 * a.width + column;
  const bool in = c.reaches_in(), on = c.reaches_on();
  const uint32_t first = c.keys[c.begin], last = c.keys[c.end - 1];
  Floats<4> sum = {};
  for (int i = c.begin; i < c.end; i += ahead) {
    uint2 stored[ahead];
    int row[ahead];
    uint32_t key[ahead];
    Floats<4>
        old[ahead];  // of dtoken, where a run ends: asked for before the sums, which would wait for each otherwise
    bool ends[ahead];
#pragma unroll
    for (int k = 0; k < ahead; ++k)
      if (i + k < c.end) {
        row[k] = sorted.rows[i + k];
        key[k] = c.keys[i + k];
        ends[k] = i + k + 1 == c.end || c.keys[i + k + 1] != key[k];
        stored[k] = load4(a.dx, row[k] * a.width + column);
        if (ends[k]) old[k] = load4(a.dtoken, key[k] * a.width + column);
      }
#pragma unroll
    for (int k = 0; k < ahead; ++k)
      if (i + k < c.end) {
        add(sum, masked<dropout>(stored[k], mask, row[k] * a.width + column));
        if (!ends[k]) continue;
        if (in && key[k] == first) {
          store(partials, 0, sum);
        } else if (on && key[k] == last) {
          store(partials, a.width, sum);
        } else {
          add(sum, old[k]);
          store(a.dtoken, key[k] * a.width + column, sum);
        }
        sum = {};
      }
  }
}

/// Threads of one launch: first the chunks' columns, then the positions'.
template <bool dropout>
__global__ void __launch_bounds__(threads, 4) backward(const __grid_constant__ EmbeddingBackward a, SortedTokens sorted,
                                                       Cut cut, const __grid_constant__ RoundKeys keys) {
  const auto across = static_cast<uint32_t>(a.width) / 4, thread = blockIdx.x * threads + threadIdx.x;
  const int64_t index = thread / across, column = thread % across * 4;
  const Mask mask(a.dropout, keys);
  if (index < cut.chunks)
    add_tokens<dropout>(a, mask, sorted, index, cut.length, column);
  else if (index - cut.chunks < a.items && a.dposition)
    add_position<dropout>(a, mask, index - cut.chunks, column);
}

constexpr int long_across = 32, long_down = 8;  // a block of add_long_runs: columns / 4, and chunks at a time

/// Block (i, tile) adds up the run that begins in chunk i and goes beyond it, if there is one.
__global__ void __launch_bounds__(long_across* long_down)
    add_long_runs(EmbeddingBackward a, SortedTokens sorted, int length) {
  __shared__ Floats<4> shared[long_down][long_across];
  const int own = static_cast<int>(blockIdx.x);
  const Chunk c(sorted.keys, own, length, a.rows);
  if (!c.reaches_on()) return;
  const uint32_t run = c.keys[c.end - 1];
  if (c.reaches_in() && c.keys[c.begin] == run) return;  // it began before
  int low = c.end, high = c.rows;                        // where it ends
  while (low < high) {
    const int middle = (low + high) / 2;
    if (c.keys[middle] > run)
      high = middle;
    else
      low = middle + 1;
  }
  const int last = (low - 1) / length;
  const int64_t column = (static_cast<int64_t>(blockIdx.y) * long_across + threadIdx.x) * 4;
  const bool live = column < a.width;
  Floats<4> sum = {};
  if (live) {
    const float* partials = static_cast<const float*>(a.workspace) + column;
#pragma unroll 8
    for (int other = own + static_cast<int>(threadIdx.y); other <= last; other += long_down)
      add(sum, load4(partials, (2 * static_cast<int64_t>(other) + (other == own)) * a.width));
  }
  shared[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (!live || threadIdx.y != 0) return;
#pragma unroll
  for (int y = 1; y < long_down; ++y) add(sum, shared[y][threadIdx.x]);
  add_to(a.dtoken + run * a.width + column, sum);
}

void check_width(int64_t rows, int64_t items, int64_t width) {
  if (width % 4 != 0 || items <= 0 || rows % items != 0 || rows * width > int64_t{1} << 33)
    throw std::runtime_error(
        "embedding: the width is a multiple of 4, rows are whole sequences, and both together at most 2^33");
}

}  // namespace

void embedding_forward(const EmbeddingForward& call, void* stream) {
  check_width(call.rows, call.items, call.width);
  if (call.rows == 0) return;
  const RoundKeys keys(call.dropout.key);
  const auto blocks = static_cast<unsigned>((call.rows * call.width / 4 + threads - 1) / threads);
  if (call.dropout.threshold != 0)
    forward<true><<<blocks, threads, 0, stream_of(stream)>>>(call, keys);
  else
    forward<false><<<blocks, threads, 0, stream_of(stream)>>>(call, keys);
  check_launch("embedding_forward");
}

void embedding_backward(const EmbeddingBackward& call, void* stream) {
  check_width(call.rows, call.items, call.width);
  if (call.rows == 0) return;
  Cut cut(call.rows);
  if (!call.dtoken) cut.chunks = 0;
  const int64_t across = call.width / 4;
  const SortedTokens sorted = sorted_tokens(call.sorted, call.rows, call.vocabulary);
  const RoundKeys keys(call.dropout.key);
  const auto blocks = static_cast<unsigned>(((cut.chunks + call.items) * across + threads - 1) / threads);
  if (call.dropout.threshold != 0)
    backward<true><<<blocks, threads, 0, stream_of(stream)>>>(call, sorted, cut, keys);
  else
    backward<false><<<blocks, threads, 0, stream_of(stream)>>>(call, sorted, cut, keys);
  check_launch("embedding_backward");
  if (cut.chunks == 0) return;
  const dim3 grid(static_cast<unsigned>(cut.chunks), static_cast<unsigned>((across + long_across - 1) / long_across));
  add_long_runs<<<grid, dim3(long_across, long_down), 0, stream_of(stream)>>>(call, sorted, cut.length);
  check_launch("embedding_backward");
}

size_t embedding_backward_bytes(int64_t rows, int64_t width) {
  return static_cast<size_t>(Cut(rows).chunks * 2 * width) * sizeof(float);
}

}  // namespace absorb::kernels
