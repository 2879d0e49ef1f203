// The kernels of dispatched experts against the definitions in LibTorch operations, in double.
#include <torch/types.h>

#include "core/device.h"
#include "moe/cuda/dispatch.cuh"
#include "moe/cuda/grouped/grouped.cuh"
#include "moe/cuda/route.cuh"
#include "moe/dispatch.h"
#include "router/routing.h"
#include "tests/routing_fixture.h"

namespace absorb {
namespace {

using namespace testing;

const Bf16* bf16(const Tensor& t) {
  return static_cast<const Bf16*>(t.const_data_ptr());
}
Bf16* bf16_out(const Tensor& t) {
  return static_cast<Bf16*>(t.mutable_data_ptr());
}

double distance(const Tensor& got, const Tensor& expected) {
  const Tensor e = expected.to(at::kDouble);
  return ((got.cpu().to(at::kDouble) - e).norm() / e.norm().clamp_min(1e-12)).item<double>();
}

class MoeExpertsGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
    stream_ = current_cuda_stream(gpu_);
  }
  Tensor ints(int64_t n) const { return at::empty({n}, at::TensorOptions().dtype(at::kInt).device(gpu_)); }
  Tensor floats(at::IntArrayRef shape) const {
    return at::zeros(shape, at::TensorOptions().dtype(at::kFloat).device(gpu_));
  }
  Tensor bf16s(at::IntArrayRef shape) const {
    return at::empty(shape, at::TensorOptions().dtype(at::kBFloat16).device(gpu_));
  }
  // Random numbers that bf16 holds, on the CPU.
  static Tensor rounded(at::IntArrayRef shape, const char* name) {
    return features(shape, name, at::kFloat).to(at::kBFloat16).to(at::kFloat);
  }

  const at::Device gpu_{at::kCUDA, 0};
  void* stream_ = nullptr;
};

TEST_F(MoeExpertsGpu, RoutesAsTheDefinitionDoesTiesIncluded) {
  constexpr Weight all[] = {Weight::one, Weight::mean, Weight::sigmoid, Weight::softmax, Weight::softmax_kept};
  for (const int64_t experts : {2, 8, 40})
    for (const int64_t k : {int64_t{1}, int64_t{2}})
      for (const bool ties : {false, true})
        for (int kind = 0; kind < 5; ++kind) {
          const int64_t tokens = 77;
          Tensor scores = features({1, 1, tokens, experts}, "scores", at::kFloat);
          if (ties) scores = scores.round();
          scores = scores.requires_grad_(true);
          const Routing routing{scores_of(scores), top_k(scores, k, Visible::all, false), all[kind]};
          const Tensor expected = kept_choices(routing);
          const Tensor w = weights(routing).view({tokens, experts}).gather(1, expected);
          const Tensor dw = features({tokens, k}, "dw", at::kFloat);
          Tensor ds = at::zeros({tokens, experts});
          if (w.requires_grad()) {
            (w * dw).sum().backward();
            ds = scores.grad().view({tokens, experts});
          }
          const Tensor device_scores = scores.detach().to(gpu_).contiguous(), device_dw = dw.to(gpu_).contiguous();
          kernels::RouteExperts route;
          route.tokens = tokens;
          route.experts = experts;
          route.kept = k;
          route.scores = device_scores.const_data_ptr<float>();
          route.weight = static_cast<kernels::ExpertWeight>(kind);
          const Tensor kept = ints(tokens * k), got = floats({tokens, k}), dscores = floats({tokens, experts});
          kernels::route_experts(route, kept.mutable_data_ptr<int32_t>(), got.mutable_data_ptr<float>(), stream_);
          kernels::RouteExpertsBackward backward;
          backward.kept = kept.const_data_ptr<int32_t>();
          backward.weights = got.const_data_ptr<float>();
          backward.dweights = device_dw.const_data_ptr<float>();
          backward.dscores = dscores.mutable_data_ptr<float>();
          kernels::route_experts_backward(route, backward, stream_);
          EXPECT_TRUE(at::equal(kept.cpu().view({tokens, k}).to(at::kLong), expected)) << experts << " " << k;
          EXPECT_TRUE(at::allclose(got.cpu(), w.detach(), 1e-5, 1e-6)) << experts << " " << k << " " << kind;
          EXPECT_TRUE(at::allclose(dscores.cpu(), ds, 1e-4, 1e-6)) << experts << " " << k << " " << kind;
        }
}

// Pairs of tokens with experts; kind 0: spread, 1: all on the first ones, 2: half of the experts empty.
Tensor kept_of(int64_t tokens, int64_t k, int64_t experts, int kind) {
  const int64_t used = kind == 1 ? k : kind == 2 ? std::max(experts / 2, k) : experts;
  const Tensor scores = features({tokens, used}, "kept", at::kFloat);
  return std::get<0>(std::get<1>(scores.topk(k, -1)).sort(-1)).contiguous();
}

TEST_F(MoeExpertsGpu, SortsMovesAndCombinesRows) {
  for (const int64_t width : {36, 40, 256})
    for (int kind = 0; kind < 3; ++kind) {
      const int64_t tokens = 501, k = 2, experts = 8, pairs = tokens * k;
      const Tensor kept = kept_of(tokens, k, experts, kind);
      const Dispatch expected = dispatch(kept, experts);
      const Tensor device_kept = kept.to(gpu_, at::kInt).contiguous();
      const Tensor order = ints(pairs), inverse = ints(pairs), ends = ints(experts);
      const Tensor workspace = ints(kernels::dispatch_workspace(pairs, experts));
      kernels::dispatch_pairs(
          device_kept.const_data_ptr<int32_t>(), pairs, experts,
          {order.mutable_data_ptr<int32_t>(), inverse.mutable_data_ptr<int32_t>(), ends.mutable_data_ptr<int32_t>()},
          workspace.mutable_data_ptr<int32_t>(), stream_);
      EXPECT_TRUE(at::equal(order.cpu().to(at::kLong), expected.order));
      EXPECT_TRUE(at::equal(inverse.cpu().to(at::kLong), expected.inverse));
      EXPECT_TRUE(at::equal(ends.cpu().to(at::kLong), at::tensor(expected.ends)));

      const Tensor x = rounded({tokens, width}, "x"), dy = rounded({tokens, width}, "dy");
      const Tensor sorted = rounded({pairs, width}, "sorted"), w = features({tokens, k}, "w", at::kFloat);
      const Tensor bias = features({experts, width}, "bias", at::kFloat);
      const Tensor dx_in = x.to(gpu_, at::kBFloat16), dy_in = dy.to(gpu_, at::kBFloat16);
      const Tensor sorted_in = sorted.to(gpu_, at::kBFloat16), w_in = w.to(gpu_), bias_in = bias.to(gpu_);
      kernels::TokenRows rows{tokens, k, width, order.const_data_ptr<int32_t>(), inverse.const_data_ptr<int32_t>()};
      kernels::CombineRows combine{rows, w_in.const_data_ptr<float>(), device_kept.const_data_ptr<int32_t>(),
                                   bias_in.const_data_ptr<float>()};
      const Tensor gathered = bf16s({pairs, width}), y = bf16s({tokens, width}), dsorted = bf16s({pairs, width});
      const Tensor dw = floats({tokens, k}), dx = bf16s({tokens, width}), dbias = floats({experts, width});
      const Tensor sums_workspace = floats({kernels::grouped_sums_workspace(experts, width)});
      kernels::gather_rows(rows, bf16(dx_in), bf16_out(gathered), stream_);
      kernels::combine_rows(combine, bf16(sorted_in), bf16_out(y), stream_);
      kernels::combine_rows_backward(combine, bf16(dy_in), bf16(sorted_in), bf16_out(dsorted),
                                     dw.mutable_data_ptr<float>(), stream_);
      kernels::gather_rows_backward(rows, bf16(sorted_in), bf16_out(dx), false, stream_);
      kernels::grouped_sums(bf16(sorted_in), width, ends.const_data_ptr<int32_t>(), experts,
                            dbias.mutable_data_ptr<float>(), sums_workspace.mutable_data_ptr<float>(), stream_);

      const Tensor token = expected.order.div(k, "floor"), expert = kept.reshape({-1}).index_select(0, expected.order);
      const Tensor by_pair = sorted.index_select(0, expected.inverse).view({tokens, k, width}).to(at::kDouble);
      const Tensor with_bias = by_pair + bias.to(at::kDouble).index_select(0, kept.reshape({-1})).view(by_pair.sizes());
      const Tensor scaled = (w.unsqueeze(-1) * dy.unsqueeze(1)).reshape({pairs, width});
      EXPECT_TRUE(at::equal(gathered.cpu().to(at::kFloat), x.index_select(0, token)));
      EXPECT_LT(distance(y, (with_bias * w.unsqueeze(-1)).sum(1)), 3e-3);
      EXPECT_LT(distance(dsorted, scaled.index_select(0, expected.order)), 3e-3);
      EXPECT_LT(distance(dw, (with_bias * dy.unsqueeze(1)).sum(-1)), 1e-5);
      EXPECT_LT(distance(dx, by_pair.sum(1)), 3e-3);
      EXPECT_LT(distance(dbias, at::zeros({experts, width}, at::kDouble).index_add(0, expert, sorted.to(at::kDouble))),
                1e-5);
    }
}

TEST_F(MoeExpertsGpu, GroupedProductsAndWeightGradients) {
  const int64_t in = 72, out = 136;
  std::vector<int64_t> many;  // 66 tiles, each of two shares
  for (int64_t e = 1; e <= 66; ++e) many.push_back(70 * e);
  for (const std::vector<int64_t>& ends :
       std::vector<std::vector<int64_t>>{{100, 100, 101, 700}, {700, 700}, {0, 700}, many}) {
    const auto experts = static_cast<int64_t>(ends.size()), rows = ends.back();
    const Tensor device_ends = at::tensor(ends).to(gpu_, at::kInt);
    const Tensor a = rounded({rows, in}, "a"), b = rounded({rows, out}, "b");
    const Tensor w = rounded({experts * out, in}, "w");  // [out,in] rows for a, [in,out] rows for b
    const Tensor a_in = a.to(gpu_, at::kBFloat16), b_in = b.to(gpu_, at::kBFloat16), w_in = w.to(gpu_, at::kBFloat16);
    std::vector<Tensor> forward, back, gradient;
    for (int64_t e = 0, begin = 0; e < experts; begin = ends[static_cast<std::size_t>(e)], ++e) {
      const int64_t count = ends[static_cast<std::size_t>(e)] - begin;
      const Tensor ae = a.narrow(0, begin, count).to(at::kDouble), be = b.narrow(0, begin, count).to(at::kDouble);
      const Tensor we = w.narrow(0, e * out, out).to(at::kDouble);
      forward.push_back(at::matmul(ae, we.t()));
      back.push_back(at::matmul(be, we));
      gradient.push_back(at::matmul(be.t(), ae));
    }
    kernels::GroupedProduct product;
    product.rows = rows;
    product.experts = experts;
    product.in = in;
    product.out = out;
    product.ends = device_ends.const_data_ptr<int32_t>();
    product.a = bf16(a_in);
    product.w = bf16(w_in);
    const Tensor y = bf16s({rows, out}), x = bf16s({rows, in});
    kernels::grouped_product(product, bf16_out(y), stream_);
    std::swap(product.in, product.out);
    product.a = bf16(b_in);
    product.matrix = kernels::ExpertMatrix::in_out;
    kernels::grouped_product(product, bf16_out(x), stream_);
    EXPECT_LT(distance(y, at::cat(forward)), 3e-3);
    EXPECT_LT(distance(x, at::cat(back)), 3e-3);

    const kernels::GroupedWeightGradient g{rows, experts, out, in, product.ends, bf16(b_in), bf16(a_in)};
    const Tensor workspace = floats({kernels::grouped_weight_gradient_workspace(g)});
    const Tensor one = at::ones({experts * out, in}, workspace.options()), two = one.clone();
    for (const Tensor& dw : {one, two})
      kernels::grouped_weight_gradient(g, dw.mutable_data_ptr<float>(), workspace.mutable_data_ptr<float>(), stream_);
    EXPECT_TRUE(at::equal(one, two));
    EXPECT_LT(distance(one - 1, at::cat(gradient)), 1e-5);
  }
}

}  // namespace
}  // namespace absorb
