// Where numbers lie in the tiles that Hopper's bulk copies bring and take, and which of them a lane names when four
// matrices of 8 x 8 move between such a tile and registers (ldmatrix, stmatrix): integer functions that tests check on
// the host.
#pragma once

#include "core/cuda/random.cuh"  // ABSORB_HOST_DEVICE

namespace absorb::kernels::hopper {

/// Byte at which vector `vector` (16 bytes, 0 to 7) of row `row` begins in a tile of rows of 128 bytes with the
/// 128-byte swizzle. `row_of_eight` is row % 8, which callers know.
ABSORB_HOST_DEVICE constexpr int swizzled(int row, int vector, int row_of_eight) {
  return row * 128 + ((vector ^ row_of_eight) << 4);
}

struct Place {
  int row, vector;
};
/// Of 16 x 16 numbers as mma.m16n8k16 has its left operand: matrices 0 and 1 are rows 0-7 and 8-15 of the first eight
/// columns, 2 and 3 of the next eight. Lane l names row l % 8 of matrix l / 8.
ABSORB_HOST_DEVICE constexpr Place place_of_lane(int lane) {
  return {lane / 8 % 2 * 8 + lane % 8, lane / 16};
}
/// The same operand where its columns are the tile's rows: to be loaded transposed.
ABSORB_HOST_DEVICE constexpr Place transposed_place_of_lane(int lane) {
  return {lane / 16 * 8 + lane % 8, lane / 8 % 2};
}

}  // namespace absorb::kernels::hopper
