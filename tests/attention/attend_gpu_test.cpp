// The fused kernels against the composition in double on a CPU, which is their definition: values, gradients, dropout
// bits, rows that keep nothing, nearly closed gates, equal bits on a second run.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/device.h"
#include "tests/attention/attend_case.h"

namespace absorb {
namespace {

using namespace testing;

constexpr double bf16_tolerance = 1.2e-2;  // of a norm: three bf16 roundings in a row, and their accumulation

std::string described(const Shape& s, const Kind& k) {
  return fmt::format("T {} d {} r {} apply {} weight {} k {} gradient {} dropout {}", s.items, s.width, s.rank,
                     static_cast<int>(k.apply), static_cast<int>(k.weight), k.k, static_cast<int>(k.gradient),
                     k.dropout);
}

void expect_agreement(const Shape& shape, const Kind& kind) {
  const Case c(shape, kind);
  const std::vector<Tensor> wanted = c.reference().all(), got = c.fused().all();
  const char* names[] = {"out", "d_q", "d_k", "d_v", "d_items", "d_choices"};
  for (size_t i = 0; i < std::size(names); ++i)
    if (wanted[i].numel() > 0)
      EXPECT_LT(error(got[i], wanted[i]), bf16_tolerance) << names[i] << ": " << described(shape, kind);
}

class AttendGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
    configure_torch(1, /*tf32=*/false);
  }
};

const std::vector<Shape> shapes = {{2, 65, 2, 64, 16}, {1, 200, 3, 32, 32}, {1, 130, 2, 128, 64}, {1, 64, 2, 64, 8}};

TEST_F(AttendGpu, DenseIsTheComposition) {
  for (Shape shape : shapes) {
    shape.rank = 0;
    for (const double dropout : {0.0, 0.25}) expect_agreement(shape, {.dropout = dropout});
  }
}

TEST_F(AttendGpu, EveryRoutingIsTheComposition) {
  for (const Shape& shape : shapes)
    for (const Apply apply : {Apply::scale_logits, Apply::log_bias, Apply::post_softmax})
      for (const int64_t k : {0, 12})
        for (const Gradient gradient : {Gradient::none, Gradient::weights, Gradient::straight_through})
          if (k > 0 || gradient != Gradient::straight_through)
            expect_agreement(shape, {.apply = apply, .k = k, .gradient = gradient});
}

TEST_F(AttendGpu, AKeptMaskAloneIsTheComposition) {
  for (const Shape& shape : shapes)
    for (const Apply apply : {Apply::scale_logits, Apply::log_bias, Apply::post_softmax})
      expect_agreement(shape, {.apply = apply, .weight = Weight::one, .k = 12});
}

TEST_F(AttendGpu, DropsTheElementsThatTheCompositionDrops) {
  for (const Shape& shape : shapes)  // T a multiple of 4 and not
    for (const Apply apply : {Apply::scale_logits, Apply::log_bias, Apply::post_softmax})
      for (const int64_t k : {0, 12}) expect_agreement(shape, {.apply = apply, .k = k, .dropout = 0.25});
}

TEST_F(AttendGpu, OneItemAttendsToItself) {
  const Shape shape{3, 1, 2, 64, 16};
  const Results results = Case(shape, {}).fused();
  EXPECT_LT(error(results.out, Case(shape, {}).reference().out), bf16_tolerance);
}

TEST_F(AttendGpu, ARowThatKeepsNothingIsZero) {
  for (const Apply apply : {Apply::scale_logits, Apply::log_bias, Apply::post_softmax}) {
    Case c({1, 70, 2, 64, 16}, {.apply = apply, .k = 12});
    c.keep_nothing(66);
    const Results results = c.fused();
    EXPECT_EQ(results.out.select(1, 66).abs().max().item<double>(), 0);
    if (apply != Apply::post_softmax) EXPECT_EQ(results.lse.select(-1, 66).max().item<double>(), -infinity);
    EXPECT_EQ(results.d_q.select(1, 66).abs().max().item<double>(), 0);
    for (const Tensor& x : {results.d_q, results.d_k, results.d_v, results.d_items, results.d_choices})
      EXPECT_TRUE(x.isfinite().all().item<bool>());
  }
}

TEST_F(AttendGpu, NearlyClosedGatesKeepTheirProportions) {
  const Shape shape{1, 65, 2, 64, 16};
  Case c(shape, {});  // log_bias divides by the sum, however small its terms
  // Scores about -70, in a double and in a float far from where sigmoid(g) or its reciprocal are 0.
  c.set_factors(features({1, 65, 2, 2, 16}, "factors").abs() * at::tensor({24.0, -1.0}).view({1, 1, 2, 1, 1}));
  const Results wanted = c.reference(), got = c.fused();
  EXPECT_LT(error(got.out, wanted.out), bf16_tolerance);
  EXPECT_LT(error(got.d_v, wanted.d_v), bf16_tolerance);
  for (const Tensor& x : got.all()) EXPECT_TRUE(x.isfinite().all().item<bool>());
}

TEST_F(AttendGpu, TheSameInputsGiveTheSameBits) {
  const Case c({2, 200, 3, 64, 32}, {.k = 12, .gradient = Gradient::straight_through, .dropout = 0.25});
  const std::vector<Tensor> first = c.fused().all(), second = c.fused().all();
  for (size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(at::equal(first[i], second[i])) << i;
}

TEST_F(AttendGpu, RefusesWhatHasNoKernel) {
  EXPECT_FALSE(kernels::attend_has_kernel(48, 0));
  EXPECT_FALSE(kernels::attend_has_kernel(64, 12));
  EXPECT_FALSE(kernels::attend_has_kernel(64, 72));
  EXPECT_THROW(expect_agreement({1, 8, 1, 48, 0}, {}), std::runtime_error);
}

}  // namespace
}  // namespace absorb
