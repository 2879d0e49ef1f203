// What an exact selection on a GPU rests on, checked on the host: the order of its integers, its search and its ties.
#include "router/cuda/order.cuh"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "core/numbers.h"

namespace absorb::kernels::order {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

TEST(Order, KeysCompareAsFloatsDo) {
  const std::vector<float> ascending = {
      -infinity, -3e38f, -1.5f, -1e-45f, 0.0f, 1e-45f, 1e-20f, 1.0f, 1.5f, std::numeric_limits<float>::max(), infinity};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    EXPECT_EQ(from_key(key_of(ascending[i])), ascending[i]);
    for (std::size_t j = 0; j < ascending.size(); ++j)
      EXPECT_EQ(key_of(ascending[i]) < key_of(ascending[j]), i < j) << ascending[i] << " " << ascending[j];
  }
  EXPECT_EQ(key_of(-0.0f), key_of(0.0f)) << "equal scores tie";
  EXPECT_EQ(key_of(-infinity), key_of_minus_infinity);
  EXPECT_EQ(key_of(infinity), key_of_infinity);
}

TEST(Order, AboveIsTheNextFloat) {
  EXPECT_EQ(above(1.0f), std::nextafter(1.0f, 2.0f));
  EXPECT_EQ(above(-1.0f), std::nextafter(-1.0f, 0.0f));
  EXPECT_GT(above(0.0f), 0.0f);
  EXPECT_EQ(above(std::numeric_limits<float>::max()), infinity);
}

TEST(Order, NthSetBitCountsFromTheLowest) {
  EXPECT_EQ(nth_set_bit(1u, 0), 0);
  EXPECT_EQ(nth_set_bit(0x80000000u, 0), 31);
  EXPECT_EQ(nth_set_bit(0b1011000u, 0), 3);
  EXPECT_EQ(nth_set_bit(0b1011000u, 2), 6);
}

int count_from(const std::vector<float>& x, float pivot) {
  return static_cast<int>(std::count_if(x.begin(), x.end(), [&](float y) { return y >= pivot; }));
}

float least_from(const std::vector<float>& x, float pivot) {
  float least = infinity;
  for (const float y : x)
    if (y >= pivot) least = std::min(least, y);
  return least;
}

struct Result {
  bool right = false;
  int counts = 0;  // -1: gave up, as the kernel does before it halves integers
};

// The search as the kernel runs it.
Result search(const std::vector<float>& x, int k, float guess, float spacing) {
  std::vector<float> sorted = x;
  std::sort(sorted.begin(), sorted.end(), std::greater<float>());
  const float kth = sorted[static_cast<std::size_t>(k) - 1];
  Search s;
  s.spacing = spacing;
  float pivot = guess;
  int taken = 0;
  for (; taken < 10 && s.between(pivot); ++taken) {
    const int count = count_from(x, pivot);
    if (count == k) return {least_from(x, pivot) == kth, taken + 1};
    if (count == k - 1) return {kth < pivot && count_from(x, kth) >= k, taken + 1};
    if (!s.counted(pivot, count, k) && s.low_counted) {
      const float least = least_from(x, s.low), next = above(least);
      const int more = count_from(x, next);
      if (more < k) return {least == kth, taken + 1};
      s.counted(next, more, k);
    }
    pivot = s.next_pivot(k);
  }
  const bool within = (!s.low_counted || kth >= s.low) && (!s.high_counted || kth < s.high);
  return {within, -1};
}

TEST(Order, SearchFindsTheKthWhateverTheGuess) {
  std::mt19937 bits(1);
  std::normal_distribution<float> normal;
  for (const int n : {1, 2, 63, 64, 65, 512})
    for (const int k : {1, 2, 64})
      for (int kind = 0; kind < 5 && k <= n; ++kind) {
        std::vector<float> x(static_cast<std::size_t>(n));
        for (float& y : x) {
          y = normal(bits);
          if (kind == 1) y = std::round(2 * y);  // ties
          if (kind == 2) y = 1.5f;               // nothing but ties
          if (kind == 3) y = std::exp(20 * y);
          if (kind == 4 && bits() % 4 == 0) y = bits() % 2 ? infinity : -infinity;
        }
        for (const float guess : {0.0f, 1.1f, -infinity, infinity, 1e30f})
          for (const float spacing : {0.01f, 0.0f, infinity, std::numeric_limits<float>::quiet_NaN()})
            EXPECT_TRUE(search(x, k, guess, spacing).right) << n << " " << k << " " << kind << " " << guess;
      }
}

TEST(Order, SearchOfNormalNumbersTakesFewPivots) {
  std::mt19937 bits(2);
  std::normal_distribution<float> normal;
  int taken = 0;
  for (int row = 0; row < 200; ++row) {
    std::vector<float> x(512);
    for (float& y : x) y = normal(bits);
    const Result result = search(x, 64, 1.15f, 0.0095f);
    EXPECT_GT(result.counts, 0);
    taken += result.counts;
  }
  EXPECT_LT(taken, 200 * 5);
}

TEST(Order, SearchOfTiesDoesNotCreep) {
  std::mt19937 bits(3);
  std::normal_distribution<float> normal;
  for (int row = 0; row < 100; ++row) {
    std::vector<float> x(300);
    for (float& y : x) y = std::round(2 * normal(bits));
    const Result result = search(x, 64, 1.6f, 0.02f);
    EXPECT_TRUE(result.right && result.counts > 0) << row;
  }
}

}  // namespace
}  // namespace absorb::kernels::order
