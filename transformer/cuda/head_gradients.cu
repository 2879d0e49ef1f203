// One kernel for both gradients: a tile of 128 rows of the output (rows of h, or words) of the whole width, summed over
// words (or rows of h) 64 at a time. Two warpgroups take 64 rows each: they read logits from shared
// memory into the registers of a product's operand, transposed for the words' gradient, and make them
// softmax - onehot there, while the product before is under way. A third only starts copies. Blocks come in clusters
// of two, which share the other operand: each copies half of it to both.
#include <cuda_runtime.h>

#include <stdexcept>

#include "tensors/cuda/launch.cuh"
#include "tensors/cuda/wgmma.cuh"
#include "transformer/cuda/fused_head.cuh"
#include "transformer/cuda/head_operand.cuh"

namespace absorb::kernels {
namespace {

using namespace hopper;
using namespace head;

template <Of of, int width>
__device__ __forceinline__ void produce(const GradientArguments& a, Shared<width>& s, const CUtensorMap& logits,
                                        const CUtensorMap& other) {
  constexpr int boxes = Stages<width>::boxes;
  const uint32_t rank = rank_in_cluster();
  const uint64_t once = read_once(), often = read_often();
  Turn<Shared<width>::stages> turn;
  for (int u = static_cast<int>(blockIdx.x) / 2; u < a.shares.units(); u += static_cast<int>(gridDim.x) / 2) {
    const Unit unit(a, u, rank);
    for (int step = unit.begin; step < unit.end; ++step, turn.next()) {
      Barrier& full = s.full[turn.stage];
      const int along = step * step_length;
      s.empty[turn.stage].wait(turn.parity ^ 1);
      full.expect(Stages<width>::bytes + (of == Of::words ? 2 * step_length * 4 : 0));
      unsigned char* to = s.logits[turn.stage];
      if constexpr (of == Of::rows) {
        copy_box(to, logits, along, unit.tile, full, once);
      } else {
        copy_box(to, logits, unit.tile, along, full, once);
        copy_box(to + box_bytes, logits, unit.tile + 64, along, full, once);
        copy_bytes(s.log_sums[turn.stage], a.log_sums + along, step_length * 4, full);
        copy_bytes(s.targets[turn.stage], a.targets + along, step_length * 4, full);
      }
#pragma unroll 1
      for (int i = 0; i < boxes / 2; ++i) {
        const int box = static_cast<int>(rank) * (boxes / 2) + i;
        copy_box_to(3, s.other[turn.stage] + box * box_bytes, other, box * 64, along, full, often);
      }
    }
  }
}

/// Leaves a thread's sums where they belong: `c` are of columns from `column` on.
template <Of of, int width>
__device__ __forceinline__ void leave(const GradientArguments& a, const float (&c)[width / 4], int part, int row,
                                      int column) {
  const float scale = *a.scale;
  const bool whole = a.shares.parts == 1;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int64_t at = row + 8 * half;
    if (at >= (of == Of::rows ? a.rows : a.vocabulary)) continue;
#pragma unroll
    for (int j = 0; j < width / 16; ++j) {
      const float x = c[4 * j + 2 * half] * scale, y = c[4 * j + 2 * half + 1] * scale;
      const int64_t i = at * width + column + 8 * j;
      if constexpr (of == Of::words) {
        add_pair(a.dw + i, x, y);
      } else if (whole) {
        *reinterpret_cast<uint32_t*>(a.dh + i) = pack2(x, y);
      } else {
        *reinterpret_cast<float2*>(a.partials + static_cast<int64_t>(part) * a.rows * width + i) = {x, y};
      }
    }
  }
}

template <Of of, int width>
__device__ __forceinline__ void consume(const GradientArguments& a, Shared<width>& s) {
  const uint32_t rank = rank_in_cluster();
  Reader<of, width> reader(s);
  Turn<Shared<width>::stages> turn;
  for (int u = static_cast<int>(blockIdx.x) / 2; u < a.shares.units(); u += static_cast<int>(gridDim.x) / 2) {
    const Unit unit(a, u, rank);
    reader.start(a, unit);
    float c0[width / 4], c1[width / 4];
    Loaded<of> loaded;
    s.full[turn.stage].wait(turn.parity);
    reader.load(loaded, turn.stage, 0);
    bool next_hit = reader.any_hit(turn.stage, unit.begin);
    int left = -1;  // the stage to be given back
    for (int step = unit.begin; step < unit.end; ++step) {
      const int stage = turn.stage;
      const uint64_t other = summed_across_rows(shared_address(s.other[stage]), box_bytes);
      const bool any_hit = next_hit;
      turn.next();
#pragma unroll
      for (int k = 0; k < step_length / 16; ++k) {
        uint32_t x[4];
        reader.make(x, loaded, stage, step, k, any_hit);
        const bool adds = k > 0 || step > unit.begin;
        products_begin();
        multiply(c0, x, other + (k * 2048 >> 4), adds);
        multiply(c1, x, other + ((k * 2048 + width / 128 * box_bytes) >> 4), adds);
        products_commit();
        // The next operand is on its way while this product is.
        if (k + 1 < step_length / 16) {
          reader.load(loaded, stage, k + 1);
        } else if (step + 1 < unit.end) {
          s.full[turn.stage].wait(turn.parity);
          reader.load(loaded, turn.stage, 0);
          next_hit = reader.any_hit(turn.stage, step + 1);
        }
        products_wait<1>();
        if (k == 0 && left >= 0) give_back(s.empty[left]);
      }
      left = stage;
    }
    products_wait<0>();
    give_back(s.empty[left]);
    const int column = 2 * static_cast<int>(threadIdx.x % 4);
    leave<of, width>(a, c0, unit.part, reader.row, column);
    leave<of, width>(a, c1, unit.part, reader.row, width / 2 + column);
  }
}

template <Of of, int width>
__global__ void ABSORB_CLUSTERS_OF_TWO __launch_bounds__(384, 1)
    gradient_kernel(GradientArguments a, const __grid_constant__ CUtensorMap logits,
                    const __grid_constant__ CUtensorMap other) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  Shared<width>& s = aligned_shared<Shared<width>>();
  if (threadIdx.x == 0) {
    prefetch_map(logits);
    prefetch_map(other);
    start_pipeline(s.full, s.empty, 16);  // the eight warps of two blocks
  }
  cluster_sync();
  if (threadIdx.x < 128) {
    fewer_registers<40>();
    if (threadIdx.x == 0) produce<of, width>(a, s, logits, other);
  } else {
    more_registers<232>();
    consume<of, width>(a, s);
  }
  cluster_sync();  // a block's shared memory outlives what its neighbour copies and signals there
#endif
}

/// dh = the sum of its parts, in their order.
__global__ void __launch_bounds__(256) add_parts(const float* partials, int parts, int64_t numbers, Bf16* dh) {
  const int64_t i = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
  if (i >= numbers) return;
  Floats<8> sum = load8(partials, i);
  for (int part = 1; part < parts; ++part) {
    const Floats<8> more = load8(partials, part * numbers + i);
#pragma unroll
    for (int k = 0; k < 8; ++k) sum.at[k] += more.at[k];
  }
  store(dh, i, sum);
}

template <Of of, int width>
void launch(const GradientArguments& a, const CUtensorMap& logits, const CUtensorMap& other, void* stream) {
  constexpr int bytes = shared_bytes<Shared<width>>;
  const auto kernel = gradient_kernel<of, width>;
  cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  const int units = a.shares.units(), clusters = head_clusters();
  kernel<<<static_cast<unsigned>(2 * std::min(units, clusters)), 384, bytes, stream_of(stream)>>>(a, logits, other);
  check_launch("head gradients");
}

template <Of of>
void launch(int64_t width, const GradientArguments& a, const CUtensorMap& logits, const CUtensorMap& other,
            void* stream) {
  with_head_width(width, [&]<int columns>() { launch<of, columns>(a, logits, other, stream); });
}

GradientArguments arguments_of(const FusedHead& call) {
  GradientArguments a = {};
  a.rows = static_cast<int>(call.rows);
  a.vocabulary = static_cast<int>(call.vocabulary);
  a.log_sums = call.log_sums;
  a.targets = call.word_targets;
  a.scale = call.scale;
  a.dh = call.dh;
  a.partials = static_cast<float*>(call.workspace);
  a.dw = call.dw;
  return a;
}

}  // namespace

void head_input_gradient(const FusedHead& call, void* stream) {
  if (call.rows == 0) return;
  GradientArguments a = arguments_of(call);
  a.shares = share_out((call.rows + 255) / 256, call.stride / 64, head_clusters(), most_head_parts);
  launch<Of::rows>(call.width, a, tensor_map(call.logits, call.rows, call.stride, call.stride, tile_rows),
                   tensor_map(call.w, call.stride, call.width, call.width, 64), stream);
  if (a.shares.parts == 1) return;
  const int64_t numbers = call.rows * call.width;
  add_parts<<<static_cast<unsigned>((numbers / 8 + 255) / 256), 256, 0, stream_of(stream)>>>(a.partials, a.shares.parts,
                                                                                             numbers, a.dh);
  check_launch("head gradients");
}

void head_weight_gradient(const FusedHead& call, void* stream) {
  if (call.rows == 0) return;
  GradientArguments a = arguments_of(call);
  a.shares = {static_cast<int>((call.vocabulary + 255) / 256), 1, static_cast<int>((call.rows + 63) / 64)};
  launch<Of::words>(call.width, a, tensor_map(call.logits, call.rows, call.stride, call.stride, 64),
                    tensor_map(call.h, call.rows, call.width, call.width, 64), stream);
}

}  // namespace absorb::kernels
