// The index maps of the attention kernels, which need no GPU: swizzled tiles, fragments, and dropout bits.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "attention/cuda/attend_tile.cuh"

namespace absorb::kernels {
namespace {

// Every 16 bytes of a tile have a place of their own, and the 8 rows that ldmatrix reads at once lie in 8 of 8 groups
// of banks.
template <int Width>
void expect_a_swizzle_without_conflicts() {
  std::set<int> places;
  for (int row = 0; row < 64; ++row)
    for (int chunk = 0; chunk < Width / 8; ++chunk) places.insert(tile::offset<Width>(row, chunk));
  EXPECT_EQ(places.size(), 64u * Width / 8);
  EXPECT_EQ(*places.rbegin(), 64 * Width * 2 - 16);
  for (int row = 0; row < 64; row += 8)
    for (int chunk = 0; chunk < Width / 8; ++chunk) {
      std::set<int> banks;
      for (int i = 0; i < 8; ++i) banks.insert(tile::offset<Width>(row + i, chunk) / 16 % 8);
      EXPECT_EQ(banks.size(), 8u) << Width << " " << row << " " << chunk;
    }
}

// Kernels step over k by (address ^ 32 step) and over rows by adding: the swizzle must allow both.
template <int Width>
void expect_addresses_by_steps() {
  for (int lane = 0; lane < 32; ++lane)
    for (int step = 0; step < Width / 16; ++step)
      for (int block = 0; block < 8; ++block) {
        const int across = tile::offset<Width>(tile::across_row(lane), tile::across_chunk(lane));
        EXPECT_EQ((across ^ (step * 32)) + block * 16 * Width,
                  tile::offset<Width>(tile::across_row(lane) + 8 * block, tile::across_chunk(lane) + 2 * step));
        const int down = tile::offset<Width>(tile::down_row(lane), tile::down_chunk(lane));
        EXPECT_EQ((down ^ (step * 32)) + block * 16 * Width,
                  tile::offset<Width>(tile::down_row(lane) + 8 * block, tile::down_chunk(lane) + 2 * step));
      }
}

TEST(AttendTile, SwizzlesWithoutBankConflicts) {
  expect_a_swizzle_without_conflicts<16>();
  expect_a_swizzle_without_conflicts<32>();
  expect_a_swizzle_without_conflicts<64>();
  expect_a_swizzle_without_conflicts<128>();
}

TEST(AttendTile, AddressesFollowBySteps) {
  expect_addresses_by_steps<16>();
  expect_addresses_by_steps<32>();
  expect_addresses_by_steps<64>();
  expect_addresses_by_steps<128>();
}

TEST(AttendTile, EveryWordThatARowSeesIsDrawnOnce) {
  for (const int groups : {1, 2, 3, 7, 16, 17}) {
    std::set<std::vector<int>> drawn;
    const int pairs = 2;
    for (int i = 0; i < pairs * attend::draw_shares(groups); ++i) {
      const attend::DrawShare s = attend::draw_share(i, groups);
      if (s.word > s.group) continue;
      EXPECT_TRUE(s.pair < pairs && s.group < groups);
      EXPECT_TRUE(drawn.insert({s.pair, s.group, s.word}).second) << groups << " " << i;
    }
    EXPECT_EQ(drawn.size(), static_cast<std::size_t>(pairs * groups * (groups + 1) / 2)) << groups;
  }
}

TEST(AttendTile, LanesShareAResultWithoutOverlap) {
  std::set<int> seen;
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) seen.insert(tile::result_row(lane, i) * 8 + tile::result_column(lane, i));
  EXPECT_EQ(seen.size(), 128u);
}

TEST(AttendTile, CountsTheRowsThatExist) {
  EXPECT_EQ(attend::tiles_of(1, 64), 1);
  EXPECT_EQ(attend::tiles_of(64, 64), 1);
  EXPECT_EQ(attend::tiles_of(65, 64), 2);
  EXPECT_EQ(attend::rows_left(65, 0, 64), 64);
  EXPECT_EQ(attend::rows_left(65, 64, 64), 1);
}

// A pattern of bits by (query, key), irregular enough to tell elements apart.
bool bit_of(int query, int key) {
  return (query * 37 + key * 11 + query * key * 5) / 3 % 2 != 0;
}

// A query's keys from `key` on, as the kernels read them from a word.
uint32_t keys_of(int query, int key) {
  uint32_t bits = 0;
  for (int j = 0; j < 32; ++j) bits |= static_cast<uint32_t>(bit_of(query, key + j)) << j;
  return bits;
}

TEST(AttendDropout, BitsReachTheirElementsWhereRowsAreQueries) {
  constexpr int blocks = 4;
  for (int lane = 0; lane < 32; ++lane) {
    uint32_t word = 0;
    for (int side = 0; side < 2; ++side)
      word |= attend::bits_of_row<blocks>(keys_of(lane / 4 + 8 * side, 0), side, lane);
    for (int n = 0; n < blocks; ++n)
      for (int i = 0; i < 4; ++i)
        EXPECT_EQ((word >> (4 * n + i) & 1) != 0,
                  bit_of(tile::result_row(lane, i), 8 * n + tile::result_column(lane, i)));
  }
}

TEST(AttendDropout, BitsReachTheirElementsWhereRowsAreKeys) {
  constexpr int blocks = 8;
  for (int lane = 0; lane < 32; ++lane) {
    uint32_t word = 0;
    for (int n = 0; n < blocks; ++n)
      for (int j = 0; j < 2; ++j) word |= attend::bits_of_column(keys_of(8 * n + lane % 4 * 2 + j, 0), n, j, lane);
    for (int n = 0; n < blocks; ++n)
      for (int i = 0; i < 4; ++i)
        EXPECT_EQ((word >> (4 * n + i) & 1) != 0,
                  bit_of(8 * n + tile::result_column(lane, i), tile::result_row(lane, i)));
  }
}

}  // namespace
}  // namespace absorb::kernels
