// The GPU's exact selection against the CPU's, on factors that are small integers: then scores are exact in both and
// tie everywhere.
#include <torch/types.h>

#include "core/device.h"
#include "router/cuda/top_k.cuh"
#include "router/routing.h"
#include "tests/routing_fixture.h"

namespace absorb {
namespace {

using namespace testing;

struct Selected {
  Tensor threshold, last;  // [B,H,T]
};

// packed [B,T,2,H,r] bf16: items, then choices.
Selected select_on_gpu(const Tensor& packed, int64_t k, bool self, double factor, const Tensor& scale,
                       const Tensor& shift) {
  const auto* data = static_cast<const Bf16*>(packed.const_data_ptr());
  const int64_t batch = packed.size(0), items = packed.size(1), heads = packed.size(3), rank = packed.size(4);
  kernels::TopKeys top;
  top.batch = batch;
  top.items = items;
  top.heads = heads;
  top.rank = rank;
  top.of_items = {data, packed.stride(0), packed.stride(1), packed.stride(3)};
  top.of_choices = {data + packed.stride(2), packed.stride(0), packed.stride(1), packed.stride(3)};
  top.factor = static_cast<float>(factor);
  if (scale.defined()) top.scale = scale.const_data_ptr<float>();
  if (shift.defined()) top.shift = shift.const_data_ptr<float>();
  top.k = k;
  top.self = self;
  const auto options = at::TensorOptions().device(packed.device());
  Selected out{at::empty({batch, heads, items}, options.dtype(at::kFloat)),
               at::empty({batch, heads, items}, options.dtype(at::kInt))};
  kernels::top_keys(top, out.threshold.mutable_data_ptr<float>(), out.last.mutable_data_ptr<int32_t>(),
                    current_cuda_stream(packed.device()));
  return out;
}

class RouterTopKGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  }
  const at::Device gpu_{at::kCUDA, 0};
};

TEST_F(RouterTopKGpu, TiedScoresAreChosenAsOnTheCpu) {
  for (const int64_t items : {1, 15, 64, 100, 513, 1100})
    for (const int64_t rank : {8, 32, 64})
      for (const int64_t k : {1, 16, 64})
        for (const bool self : {false, true}) {
          const Tensor packed = features({2, items, 2, 2, rank}, "factors", at::kFloat).round().clamp(-2, 2);
          const Tensor scale = at::tensor({2.0f, -1.0f}), shift = at::tensor({0.0f, 3.0f});
          const Tensor scores =
              at::matmul(packed.select(2, 0).transpose(1, 2), packed.select(2, 1).transpose(1, 2).transpose(-1, -2)) *
                  0.5 * scale.view({1, 2, 1, 1}) +
              shift.view({1, 2, 1, 1});
          const KeepTop expected = top_k(scores, k, Visible::causal, self);
          const Selected got =
              select_on_gpu(packed.to(gpu_, at::kBFloat16), k, self, 0.5, scale.to(gpu_), shift.to(gpu_));
          EXPECT_TRUE(at::equal(got.threshold.cpu(), expected.threshold)) << items << " " << rank << " " << k;
          EXPECT_TRUE(at::equal(got.last.cpu().to(at::kLong), expected.last)) << items << " " << rank << " " << k;
        }
}

TEST_F(RouterTopKGpu, ThresholdsOfRealScoresAreTheKthAndTheSameTwice) {
  const int64_t items = 300, k = 64;
  const Tensor packed = features({2, items, 2, 3, 32}, "factors", at::kFloat).to(gpu_, at::kBFloat16);
  const Tensor exact = packed.cpu().to(at::kDouble);
  const Tensor scores =
      at::matmul(exact.select(2, 0).transpose(1, 2), exact.select(2, 1).transpose(1, 2).transpose(-1, -2)) * 0.3;
  const KeepTop expected = top_k(scores, k, Visible::causal, false);
  const Selected one = select_on_gpu(packed, k, false, 0.3, {}, {}), two = select_on_gpu(packed, k, false, 0.3, {}, {});
  EXPECT_TRUE(at::equal(one.threshold, two.threshold) && at::equal(one.last, two.last));
  EXPECT_TRUE(at::allclose(one.threshold.cpu().to(at::kDouble), expected.threshold, 1e-5, 1e-5));
}

}  // namespace
}  // namespace absorb
