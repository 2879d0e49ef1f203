#include "compensation/subject/sketch.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "core/random.h"

namespace absorb {
namespace {

TEST(CompensationSketch, ExpandIsTheTransposeOfCompress) {
  for (const auto& [numbers, dimension] : {std::pair{37, 8}, {64, 8}, {9, 8}, {5, 4}}) {
    const CountSketch sketch(7, numbers, dimension, at::kCPU);
    ASSERT_EQ(sketch.dimension(), dimension);
    const Tensor compress = sketch.compress(at::eye(numbers, at::kDouble)).t();  // [m, n]
    std::vector<Tensor> columns;
    for (const Tensor& unit : at::eye(dimension, at::kDouble).unbind()) columns.push_back(sketch.expand(unit));
    EXPECT_TRUE(at::equal(compress, at::stack(columns)));
    // Every number is in one bucket with a sign, and buckets differ by at most one number.
    EXPECT_TRUE(at::equal(compress.abs().sum(0), at::ones({numbers}, at::kDouble)));
    const Tensor sizes = compress.abs().sum(1);
    EXPECT_LE((sizes.max() - sizes.min()).item<double>(), 1);
  }
}

TEST(CompensationSketch, KeepsProductsOnAverage) {
  const Tensor x = gauss({1, {}}, {50}, at::kCPU).to(at::kDouble);
  const Tensor y = x + gauss({2, {}}, {50}, at::kCPU).to(at::kDouble);
  double sum = 0, squares = 0;
  constexpr int draws = 2000;
  for (int draw = 0; draw < draws; ++draw) {
    const CountSketch sketch(stream_key(static_cast<uint64_t>(draw), "test"), 50, 10, at::kCPU);
    const double product = sketch.compress(x).dot(sketch.compress(y)).item<double>();
    sum += product;
    squares += product * product;
  }
  const double mean = sum / draws, error = std::sqrt((squares / draws - mean * mean) / draws);
  EXPECT_NEAR(mean, x.dot(y).item<double>(), 4 * error);
  EXPECT_LT(error, 0.05 * x.dot(y).item<double>());
}

TEST(CompensationSketch, IsTheIdentityWhereNothingIsSaved) {
  const Tensor x = gauss({1, {}}, {3, 6}, at::kCPU);
  for (int64_t dimension : {0, 6, 7}) {
    const CountSketch sketch(1, 6, dimension, at::kCPU);
    EXPECT_EQ(sketch.dimension(), 6);
    EXPECT_TRUE(at::equal(sketch.compress(x), x));
    EXPECT_TRUE(at::equal(sketch.expand(x[0]), x[0]));
  }
}

TEST(CompensationSketch, IsAFunctionOfItsKey) {
  const Tensor x = gauss({1, {}}, {40}, at::kCPU);
  const Tensor once = CountSketch(1, 40, 8, at::kCPU).compress(x);
  EXPECT_TRUE(at::equal(once, CountSketch(1, 40, 8, at::kCPU).compress(x)));
  EXPECT_FALSE(at::equal(once, CountSketch(2, 40, 8, at::kCPU).compress(x)));
}

}  // namespace
}  // namespace absorb
