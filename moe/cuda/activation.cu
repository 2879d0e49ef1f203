// Bias, activation, dropout and weights in one pass each way; activation_walk.cuh has the order of the work. The bias
// is read once for each thread and its gradient is summed in registers.
#include "moe/cuda/activation.cuh"

#include <algorithm>
#include <stdexcept>

#include "moe/cuda/activation_walk.cuh"
#include "moe/cuda/gelu.cuh"
#include "tensors/cuda/launch.cuh"

namespace absorb::kernels {
namespace {

template <Activation kind, bool drops, Experts experts>
__global__ void __launch_bounds__(most_threads, forward_resident(drops))
    forward(const __grid_constant__ ActivationCall a, const __grid_constant__ Tiles t, Bf16* out,
            const __grid_constant__ RoundKeys keys) {
  constexpr int ahead = forward_ahead(drops);
  const Place place(a, t);
  if (place.column >= place.width || place.down >= t.down) return;
  const Weigher<experts> weigher(a, place);
  const Bf16* u = place.in(a.u);
  out = place.in(out);
  each_segment<experts>(a, place, keys, [&](const Segment& s, int expert, const Mask& mask) {
    const Floats<8> bias = bias_of(a, place, expert);
    for (int first = s.begin + place.down; first < s.end; first += ahead * t.down) {
      uint4 stored[ahead];
      float weight[ahead];
#pragma unroll
      for (int r = 0; r < ahead; ++r)
        if (const int row = first + r * t.down; row < s.end) {
          stored[r] = load8(u, row * place.width);
          weight[r] = weigher.read(row);
        }
#pragma unroll
      for (int r = 0; r < ahead; ++r) {
        const int row = first + r * t.down;
        if (row >= s.end) break;
        Floats<8> x = unpack(stored[r]);
#pragma unroll
        for (int k = 0; k < 8; ++k) x.at[k] = Act<kind>::value(x.at[k] + bias.at[k]);
        drop_eight<drops>(mask, s.origin + row * place.width + place.column, x);
        weigher.weigh(row, weight[r], x);
        store(out, row * place.width, x);
      }
    }
  });
}

/// du of the eight elements with dropout index `index`; adds to the sums of columns and returns sum of dout mask act.
/// Four at a time: the registers of eight random words don't fit beside the rest.
template <Activation kind, bool drops, Experts experts>
__device__ __forceinline__ float backward_eight(const Taken& in, const Mask& mask, int64_t index,
                                                const Weigher<experts>& weigher, int row, const Floats<8>& bias,
                                                Floats<8>& sums, Floats<8>& g) {
  const Floats<8> u = unpack(in.u);
  g = unpack(in.dout);
  float dot = 0;
#pragma unroll
  for (int half = 0; half < 8; half += 4) {
    Floats<4> keep;
    if constexpr (drops) keep = mask.four(index + half);
#pragma unroll
    for (int k = half; k < half + 4; ++k) {
      const ValueSlope act = Act<kind>::both(u.at[k] + bias.at[k]);
      if constexpr (drops) g.at[k] *= keep.at[k - half];
      if constexpr (experts == Experts::whole) dot = fmaf(g.at[k], act.value, dot);
      g.at[k] *= act.slope;
    }
  }
  weigher.weigh(row, in.weight, g);
#pragma unroll
  for (int k = 0; k < 8; ++k) sums.at[k] += g.at[k];
  return dot;
}

/// The partial sums of one segment: the block's threads down a column are added in order.
__device__ __forceinline__ void write_partials(const Place& place, const Tiles& t, const Floats<8>& sums, float* out,
                                               float* shared) {
  const int down = place.down, across = static_cast<int>(threadIdx.x) - down * t.across;
  __syncthreads();
  if (down > 0 && down < t.down)
#pragma unroll
    for (int k = 0; k < 8; ++k) shared[(k * (t.down - 1) + down - 1) * t.across + across] = sums.at[k];
  __syncthreads();
  if (down > 0 || place.column >= place.width) return;
  Floats<8> total = sums;
#pragma unroll 1
  for (int d = 0; d < t.down - 1; ++d)
#pragma unroll
    for (int k = 0; k < 8; ++k) total.at[k] += shared[(k * (t.down - 1) + d) * t.across + across];
#pragma unroll
  for (int k = 0; k < 8; k += 4)
    store(out, place.column + k, Floats<4>{{total.at[k], total.at[k + 1], total.at[k + 2], total.at[k + 3]}});
}

/// Sum over aligned groups of `fold` lanes.
__device__ __forceinline__ float fold_sum(float x, int fold) {
#pragma unroll
  for (int offset = 1; offset < 32; offset *= 2)
    if (offset < fold) x += __shfl_xor_sync(0xffffffffu, x, offset);
  return x;
}

template <Activation kind, bool drops, Experts experts>
__global__ void __launch_bounds__(most_threads, backward_resident(drops, experts))
    backward(const __grid_constant__ ActivationCall a, const __grid_constant__ Tiles t,
             const __grid_constant__ Outputs o, const __grid_constant__ RoundKeys keys) {
  extern __shared__ float shared[];
  constexpr int ahead = backward_ahead(drops, experts);
  const Place place(a, t);
  const bool live = place.column < place.width && place.down < t.down;  // the others stay for the barriers
  const Weigher<experts> weigher(a, place);
  const Bf16 *u = place.in(a.u), *dout = place.in(o.dout);
  Bf16* du = place.in(o.du);
  float* dots = nullptr;  // of lanes that lead their fold
  if (o.dots && threadIdx.x % static_cast<unsigned>(o.fold) == 0)
    dots = o.dots + place.begin * o.parts + place.column / 8 / o.fold;
  each_segment<experts>(a, place, keys, [&](const Segment& s, int expert, const Mask& mask) {
    const Floats<8> bias = live ? bias_of(a, place, expert) : Floats<8>{};
    Floats<8> sums = {};
    for (int first = s.begin; first < s.end; first += ahead * t.down) {
      Taken in[ahead];
#pragma unroll
      for (int r = 0; r < ahead; ++r)
        if (const int row = first + r * t.down + place.down; live && row < s.end)
          in[r] = {load8(u, row * place.width), load8(dout, row * place.width), weigher.read(row)};
#pragma unroll
      for (int r = 0; r < ahead; ++r) {
        const int row = first + r * t.down + place.down;
        const bool there = live && row < s.end;
        float dot = 0;
        if (there) {
          Floats<8> g;
          dot = backward_eight<kind, drops, experts>(in[r], mask, s.origin + row * place.width + place.column, weigher,
                                                     row, bias, sums, g);
          store(du, row * place.width, g);
        }
        if constexpr (experts == Experts::whole) {
          dot = fold_sum(dot, o.fold);
          if (dots && there) dots[row * o.parts] = dot;
        }
      }
    }
    if (o.partials)
      write_partials(place, t, sums, o.partials + (static_cast<int64_t>(blockIdx.y) + expert) * place.width, shared);
  });
}

/// dweights [count] of `each` neighbouring parts.
__global__ void __launch_bounds__(most_threads) add_dots(const float* dots, float* dweights, int64_t count, int each) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  float sum = 0;
  for (int k = 0; k < each; ++k) sum += dots[i * each + k];
  dweights[i] = sum;
}

/// dweights where experts aren't whole groups of eight columns: a warp a row and expert.
template <Activation kind, bool drops>
__global__ void __launch_bounds__(most_threads)
    weight_gradients(const __grid_constant__ ActivationCall a, const Bf16* dout, float* dweights,
                     const __grid_constant__ RoundKeys keys) {
  const int64_t pair = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / 32;
  if (pair >= a.rows * a.experts) return;
  const int64_t row = pair / a.experts, hidden = a.width / a.experts, from = pair % a.experts * hidden;
  const Mask mask(a.dropout, keys);
  float dot = 0;
  for (int64_t column = from + threadIdx.x % 32; column < from + hidden; column += 32) {
    const int64_t i = row * a.width + column;
    float g = __uint_as_float(static_cast<uint32_t>(dout[i].bits) << 16);
    const float u = __uint_as_float(static_cast<uint32_t>(a.u[i].bits) << 16);
    if constexpr (drops) {
      const philox::Block words = philox_block(mask.keys, mask.step, static_cast<uint64_t>(i) / 4);
      const uint32_t even = i & 2 ? words.word[2] : words.word[0], odd = i & 2 ? words.word[3] : words.word[1];
      g *= philox::to_dropout(i & 1 ? odd : even, a.dropout.threshold, a.dropout.scale);
    }
    dot = fmaf(g, Act<kind>::value(u + (a.bias ? a.bias[column] : 0.0f)), dot);
  }
  dot = warp_sum(dot);
  if (threadIdx.x % 32 == 0) dweights[pair] = dot;
}

/// Calls f<kind, drops, experts>().
template <class F>
void with_call(const ActivationCall& call, F f) {
  const auto drops_known = [&]<Activation kind, bool drops>() {
    const Experts experts = experts_of(call);
    if (experts == Experts::none) f.template operator()<kind, drops, Experts::none>();
    if (experts == Experts::whole) f.template operator()<kind, drops, Experts::whole>();
    if (experts == Experts::cut) f.template operator()<kind, drops, Experts::cut>();
    if (experts == Experts::sorted) f.template operator()<kind, drops, Experts::sorted>();
  };
  const auto kind_known = [&]<Activation kind>() {
    if (call.dropout.threshold == 0) return drops_known.template operator()<kind, false>();
    drops_known.template operator()<kind, true>();
  };
  if (call.kind == Activation::gelu) kind_known.template operator()<Activation::gelu>();
  if (call.kind == Activation::gelu_tanh) kind_known.template operator()<Activation::gelu_tanh>();
  if (call.kind == Activation::none) kind_known.template operator()<Activation::none>();
}

void check_call(const ActivationCall& call) {
  if (call.width % 8 != 0 || call.width <= 0) throw std::runtime_error("activation: widths are multiples of 8");
  if (call.weights && (call.ends || call.width % call.experts != 0))
    throw std::runtime_error("activation: weights are of concatenated experts, which divide the width");
}

/// Lanes whose dots belong to one expert, as a power of two.
int fold_of(const ActivationCall& call) {
  if (experts_of(call) != Experts::whole) return 1;
  int fold = 1;
  while (fold < 32 && call.width / call.experts / 8 % (2 * fold) == 0) fold *= 2;
  return fold;
}

/// Floats of the backward's partial sums, and of the dots that are no dweights yet.
int64_t partial_floats(const ActivationCall& call) {
  return (backward_tiles(call).runs + (call.ends ? call.experts : 0)) * call.width;
}
int64_t dot_floats(const ActivationCall& call) {
  const int64_t each = call.width / 8 / fold_of(call);
  return experts_of(call) == Experts::whole && each != call.experts ? call.rows * each : 0;
}

unsigned block_of(const Tiles& t) {
  return static_cast<unsigned>((t.across * t.down + 31) / 32 * 32);
}

unsigned blocks_for(int64_t items) {
  return static_cast<unsigned>((items + most_threads - 1) / most_threads);
}

void launch_backward(const ActivationCall& call, const ActivationGradients& gradients, const Tiles& t, const Outputs& o,
                     cudaStream_t stream) {
  const RoundKeys keys(call.dropout.key);
  const dim3 grid(static_cast<unsigned>(t.tiles), static_cast<unsigned>(t.runs));
  const auto shared = static_cast<unsigned>(8 * (t.down - 1) * t.across * 4);
  with_call(call, [&]<Activation kind, bool drops, Experts experts>() {
    if constexpr (experts == Experts::cut)  // first: du may overwrite what this reads
      if (gradients.dweights)
        weight_gradients<kind, drops><<<blocks_for(call.rows * call.experts * 32), most_threads, 0, stream>>>(
            call, gradients.dout, gradients.dweights, keys);
    backward<kind, drops, experts><<<grid, block_of(t), shared, stream>>>(call, t, o, keys);
  });
  if (o.dots && o.dots != gradients.dweights) {
    const int64_t count = call.rows * call.experts, each = o.parts / call.experts;
    add_dots<<<blocks_for(count), most_threads, 0, stream>>>(o.dots, gradients.dweights, count, static_cast<int>(each));
  }
  check_launch("activation_backward");
}

}  // namespace

void activation_forward(const ActivationCall& call, Bf16* out, void* stream) {
  check_call(call);
  if (call.rows == 0) return;
  const Tiles t = forward_tiles(call);
  const RoundKeys keys(call.dropout.key);
  const dim3 grid(static_cast<unsigned>(t.tiles), static_cast<unsigned>(t.runs));
  with_call(call, [&]<Activation kind, bool drops, Experts experts>() {
    forward<kind, drops, experts><<<grid, block_of(t), 0, stream_of(stream)>>>(call, t, out, keys);
  });
  check_launch("activation_forward");
}

void activation_backward(const ActivationCall& call, const ActivationGradients& gradients, void* stream) {
  check_call(call);
  if (gradients.later) *gradients.later = {};
  if (call.rows == 0) return;
  const Tiles t = backward_tiles(call);
  auto* space = static_cast<float*>(gradients.workspace);
  Outputs o{gradients.dout, gradients.du, gradients.dbias ? space : nullptr, nullptr, fold_of(call), 0};
  o.parts = static_cast<int>(call.width / 8 / o.fold);
  if (experts_of(call) == Experts::whole && gradients.dweights)
    o.dots = dot_floats(call) == 0 ? gradients.dweights : space + partial_floats(call);
  launch_backward(call, gradients, t, o, stream_of(stream));
  ColumnSums sums;
  if (o.partials) {
    sums.partials = o.partials;
    sums.count = t.runs;
    sums.width = call.width;
    sums.out = gradients.dbias;
    sums.segments = call.ends ? call.experts : 1;
    sums.ends = call.ends;
    sums.rows_per_partial = t.run;
  }
  if (gradients.later)
    *gradients.later = sums;
  else
    add_column_sums(&sums, 1, stream);
}

size_t activation_backward_bytes(const ActivationCall& call) {
  return static_cast<size_t>(partial_floats(call) + dot_floats(call)) * sizeof(float);
}

}  // namespace absorb::kernels
