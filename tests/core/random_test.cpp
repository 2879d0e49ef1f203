#include "core/random.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/cuda/random.cuh"

namespace absorb {
namespace {

TEST(CoreRandom, IsPhiloxByItsPublishedAnswers) {
  // Random123's kat_vectors for philox4x32-10.
  const auto zero = philox::block(0, 0, 0);
  EXPECT_EQ(zero.word[0], 0x6627e8d5u);
  EXPECT_EQ(zero.word[1], 0xe169c58du);
  EXPECT_EQ(zero.word[2], 0xbc57ac4cu);
  EXPECT_EQ(zero.word[3], 0x9b00dbd8u);
  const auto ones = philox::block(~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0});
  EXPECT_EQ(ones.word[0], 0x408f276du);
  EXPECT_EQ(ones.word[1], 0x41c83b0eu);
  EXPECT_EQ(ones.word[2], 0xa20bc7c6u);
  EXPECT_EQ(ones.word[3], 0x6d5451fdu);
}

TEST(CoreRandom, ElementsDependOnTheirIndexAlone) {
  const RandomKey key{stream_key(1, "a"), {}};
  const Tensor small = uniform(key, {7}, at::kCPU), large = uniform(key, {1000}, at::kCPU);
  EXPECT_TRUE(at::equal(small, large.narrow(0, 0, 7)));
  EXPECT_EQ(large[130].item<float>(), philox::to_uniform(philox::block(key.key, 0, 130 / 4).word[130 % 4]));
  EXPECT_FALSE(at::equal(large, uniform({stream_key(1, "b"), {}}, {1000}, at::kCPU)));
  EXPECT_FALSE(at::equal(large, uniform({key.key, at::full({}, 1, at::kLong)}, {1000}, at::kCPU)));
}

TEST(CoreRandom, VectorisedGaussEqualsTheScalarOneBitForBit) {
  const RandomKey key{stream_key(1, "gauss"), {}};
  const Tensor drawn = gauss(key, {4096}, at::kCPU);
  for (int64_t i = 0; i < 4096; ++i)
    ASSERT_EQ(drawn[i].item<float>(),
              philox::to_gauss(philox::block(key.key, 0, static_cast<uint64_t>(i / 4)).word[i % 4]));
}

TEST(CoreRandom, GaussHasTheMomentsAndTailsOfANormal) {
  const Tensor x = gauss({stream_key(2, "gauss"), {}}, {1 << 20}, at::kCPU).to(at::kDouble);
  const double error = 1.0 / 1024;  // one standard error of the mean
  EXPECT_NEAR(x.mean().item<double>(), 0, 4 * error);
  EXPECT_NEAR(x.square().mean().item<double>(), 1, 4 * std::sqrt(2.0) * error);
  EXPECT_NEAR(x.pow(4).mean().item<double>(), 3, 4 * std::sqrt(96.0) * error);
  EXPECT_NEAR((x.abs() > 1.959964).to(at::kDouble).mean().item<double>(), 0.05, 0.001);
  EXPECT_GT(x.abs().max().item<double>(), 4.2);
}

TEST(CoreRandom, DropoutDropsItsRateAndKeepsTheMean) {
  const Tensor mask = dropout_mask({stream_key(1, "drop"), {}}, 0.1, {1 << 18}, at::kCPU);
  EXPECT_NEAR((mask == 0).to(at::kDouble).mean().item<double>(), 0.1, 0.003);
  EXPECT_FLOAT_EQ(mask.max().item<float>(), static_cast<float>(1 / 0.9));
}

TEST(CoreRandom, BelowIsUniform) {
  Random random(stream_key(1, "below"));
  std::vector<int> counts(10);
  for (int i = 0; i < 10000; ++i) ++counts[random.below(10)];
  for (const int count : counts) EXPECT_NEAR(count, 1000, 150);
}

}  // namespace
}  // namespace absorb
