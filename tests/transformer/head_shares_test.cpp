// Every step of every tile is in exactly one part, and parts are made only where they keep more of a card busy.
#include "transformer/cuda/head_shares.h"

#include <gtest/gtest.h>

namespace absorb::kernels {
namespace {

TEST(HeadShares, CoverEveryStepOnce) {
  for (const int64_t tiles : {1, 2, 7, 32, 128, 200})
    for (const int64_t steps : {1, 5, 16, 262, 786}) {
      const HeadShares shares = share_out(tiles, steps, 66, 8);
      EXPECT_EQ(shares.units(), tiles * shares.parts);
      EXPECT_EQ(shares.first(0), 0);
      EXPECT_EQ(shares.first(shares.parts), steps);
      for (int part = 0; part < shares.parts; ++part) {
        const int length = shares.first(part + 1) - shares.first(part);
        EXPECT_GE(length, std::min<int64_t>(steps, 8)) << tiles << " " << steps;
        EXPECT_LE(length, steps / shares.parts + 1);
      }
    }
}

TEST(HeadShares, FillTheCard) {
  EXPECT_EQ(share_out(66, 262, 66, 8).parts, 1);
  EXPECT_EQ(share_out(128, 262, 66, 8).parts, 1);  // two rounds, 97 %
  EXPECT_EQ(share_out(32, 262, 66, 8).parts, 2);   // 64 of 66 clusters
  EXPECT_EQ(share_out(64, 786, 66, 8).parts, 1);
  EXPECT_EQ(share_out(40, 262, 66, 8).parts, 8);  // 320 units in five rounds, 97 %; in three parts 120 in two, 91 %
  EXPECT_EQ(share_out(1, 12, 66, 8).parts, 1) << "parts are no shorter than eight steps";
}

}  // namespace
}  // namespace absorb::kernels
