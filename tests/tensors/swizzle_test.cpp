// Lanes' places, held to what ldmatrix does with them: emulated on a tile whose numbers say where they belong.
#include "tensors/cuda/swizzle.cuh"

#include <gtest/gtest.h>

#include <set>
#include <utility>
#include <vector>

namespace absorb::kernels::hopper {
namespace {

// A tile of 16 rows of 64 numbers as the bulk copy leaves it: number (row, column) is 100 row + column.
struct Tile {
  std::vector<int> stored = std::vector<int>(16 * 64);
  Tile() {
    for (int row = 0; row < 16; ++row)
      for (int column = 0; column < 64; ++column) {
        const int place = swizzled(row, column / 8, row % 8) / 2 + column % 8;
        stored[static_cast<std::size_t>(place)] = 100 * row + column;
      }
  }
  // Eight neighbours where a lane points to.
  const int* at(const Place& place) const {
    const int first = swizzled(place.row, place.vector, place.row % 8) / 2;
    return &stored[static_cast<std::size_t>(first)];
  }
};

// Register `matrix` of a lane, its two numbers, after ldmatrix of places given by lane.
template <class PlaceOf>
std::pair<int, int> loaded(const Tile& tile, PlaceOf place_of, int lane, int matrix, bool transposed) {
  const auto number = [&](int row, int column) { return tile.at(place_of(8 * matrix + row))[column]; };
  const int first = lane / 4, second = 2 * (lane % 4);
  return transposed ? std::pair{number(second, first), number(second + 1, first)}
                    : std::pair{number(first, second), number(first, second + 1)};
}

TEST(CoreSwizzle, PutsEveryVectorSomewhereElseAndEightRowsInEightBanks) {
  std::set<int> places;
  for (int row = 0; row < 64; ++row)
    for (int vector = 0; vector < 8; ++vector) places.insert(swizzled(row, vector, row % 8));
  EXPECT_EQ(places.size(), 64U * 8U);
  EXPECT_EQ(*places.rbegin(), 64 * 128 - 16);
  for (int vector = 0; vector < 8; ++vector) {
    std::set<int> banks;
    for (int row = 8; row < 16; ++row) banks.insert(swizzled(row, vector, row % 8) % 128);
    EXPECT_EQ(banks.size(), 8U);
  }
}

// mma.m16n8k16's left operand: register i has rows lane / 4 + 8 (i % 2), columns 2 (lane % 4) + 8 (i / 2) and the next.
TEST(CoreSwizzle, LanesLoadTheLeftOperand) {
  const Tile tile;
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i % 2 * 8, column = 2 * (lane % 4) + i / 2 * 8;
      const auto place = [](int l) {  // of columns 32 to 47
        const Place p = place_of_lane(l);
        return Place{p.row, p.vector + 4};
      };
      EXPECT_EQ(loaded(tile, place, lane, i, false), std::pair(100 * row + 32 + column, 100 * row + 33 + column));
    }
}

TEST(CoreSwizzle, LanesLoadTheLeftOperandTransposed) {
  const Tile tile;
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i % 2 * 8, column = 2 * (lane % 4) + i / 2 * 8;  // of the operand: the tile's columns
      EXPECT_EQ(loaded(tile, transposed_place_of_lane, lane, i, true),
                std::pair(100 * column + row, 100 * (column + 1) + row));
    }
}

}  // namespace
}  // namespace absorb::kernels::hopper
