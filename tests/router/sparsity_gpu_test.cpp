// The sparsity penalty's kernels against mean_weight() in double on a CPU, and what they add to.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/device.h"
#include "router/cuda/sparsity.cuh"
#include "tests/routing_fixture.h"

namespace absorb {
namespace {

using namespace testing;

constexpr double bf16_tolerance = 1.2e-2;  // of a norm
const at::Device gpu(at::kCUDA, 0);

struct Shape {
  int64_t batch, items, heads, rank;
};

double error(const Tensor& value, const Tensor& reference) {
  const Tensor v = value.to(at::kCPU, at::kDouble);
  return (v - reference).norm().item<double>() / std::max(reference.norm().item<double>(), 1e-30);
}

// Factors [2,B,T,H,r] of a head's scores 0.5 (items . choices) - 0.25, and the kernels' calls with them.
class Case {
 public:
  Case(const Shape& s, double target) : target_(target), shape_(s) {
    factors_ = ((features({2, s.batch, s.items, s.heads, s.rank}, "factors") * 2).round() / 4).to(at::kBFloat16);
    on_gpu_ = factors_.to(gpu);
    shift_ = at::full({s.heads}, -0.25, numbers());
    mean_ = at::full({}, NAN, numbers());
    penalty_ = at::full({}, NAN, numbers());
    workspace_ = at::full({kernels::sparsity_workspace(call())}, NAN, numbers());
    kernels::sparsity_forward(call(), {floats(workspace_), floats(mean_), floats(penalty_)}, current_cuda_stream(gpu));
  }

  // The penalty and its gradient [2,B,T,H,r].
  std::pair<Tensor, Tensor> reference(double times) const {
    Tensor factors = factors_.to(at::kDouble).requires_grad_();
    Scores scores;
    scores.batch = shape_.batch;
    scores.groups = shape_.heads;
    scores.items_count = scores.choices_count = shape_.items;
    scores.items = factors[0].transpose(1, 2);
    scores.choices = factors[1].transpose(1, 2);
    scores.factor = 0.5;
    scores.shift = shift_.to(at::kCPU, at::kDouble);
    Routing routing{scores};
    routing.weight = Weight::sigmoid;
    const Tensor penalty = (target_ - (1 - mean_weight(routing))).relu().square();
    (penalty * times).backward();
    return {penalty.detach(), factors.grad()};
  }

  Tensor penalty() const { return penalty_; }
  const Tensor& factors() const { return on_gpu_; }
  void backward(double times, const Tensor& to /* as the factors */, bool add) const {
    const Tensor gradient = at::full({}, times, numbers());
    kernels::sparsity_backward(call(),
                               {floats(gradient),
                                floats(mean_),
                                {view<kernels::MutableView>(to[0]), add},
                                {view<kernels::MutableView>(to[1]), add}},
                               current_cuda_stream(gpu));
  }

 private:
  static at::TensorOptions numbers() { return at::TensorOptions().dtype(at::kFloat).device(gpu); }
  static float* floats(const Tensor& x) { return x.mutable_data_ptr<float>(); }
  template <typename View>
  static View view(const Tensor& x /* [B,T,H,r] */) {
    return {reinterpret_cast<Bf16*>(x.mutable_data_ptr()), x.stride(0), x.stride(1), x.stride(2)};
  }
  kernels::Sparsity call() const {
    kernels::Sparsity call;
    call.batch = static_cast<int>(shape_.batch);
    call.items = static_cast<int>(shape_.items);
    call.heads = static_cast<int>(shape_.heads);
    call.rank = static_cast<int>(shape_.rank);
    call.of_items = view<kernels::View>(on_gpu_[0]);
    call.of_choices = view<kernels::View>(on_gpu_[1]);
    call.factor = 0.5;
    call.shift = shift_.const_data_ptr<float>();
    call.target = static_cast<float>(target_);
    return call;
  }

  double target_;
  Shape shape_;
  Tensor factors_, on_gpu_, shift_, mean_, penalty_, workspace_;
};

class SparsityGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
    configure_torch(1, /*tf32=*/false);
  }
};

const std::vector<Shape> shapes = {{2, 65, 2, 16}, {1, 200, 3, 32}, {1, 130, 2, 64}, {1, 64, 2, 8}, {3, 1, 1, 8}};

TEST_F(SparsityGpu, IsTheComposition) {
  for (const Shape& shape : shapes) {
    const Case c(shape, 0.875);
    const auto [penalty, gradient] = c.reference(3);
    EXPECT_NEAR(c.penalty().item<double>(), penalty.item<double>(), 1e-4);
    const Tensor got = at::full_like(c.factors(), NAN);
    c.backward(3, got, false);
    EXPECT_LT(error(got, gradient), bf16_tolerance);
  }
}

TEST_F(SparsityGpu, AddsAsAutogradWould) {
  for (const Shape& shape : shapes) {
    const Case c(shape, 0.875);
    const Tensor before = at::cos(c.factors().to(at::kFloat)).to(at::kBFloat16), sum = before.clone();
    const Tensor alone = at::empty_like(sum);
    c.backward(1e4, alone, false);
    c.backward(1e4, sum, true);
    EXPECT_TRUE(at::equal(sum, before + alone));
    EXPECT_FALSE(at::equal(sum, before));
  }
}

TEST_F(SparsityGpu, IsNothingWhereEnoughIsClosed) {
  const Case c(shapes[0], 0.1);
  EXPECT_EQ(c.penalty().item<double>(), 0);
  const Tensor got = at::full_like(c.factors(), NAN), sum = c.factors().clone();
  c.backward(3, got, false);
  c.backward(3, sum, true);
  EXPECT_EQ(got.abs().max().item<double>(), 0);
  EXPECT_TRUE(at::equal(sum, c.factors()));
}

}  // namespace
}  // namespace absorb
