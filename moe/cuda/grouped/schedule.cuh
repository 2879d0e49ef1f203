// How the work of a grouped weight gradient is dealt out, as plain integer functions that tests check on the host.
// All steps (some rows of one tile of one expert's matrix) stand in a line: expert by expert, tile by tile, rows in
// order. Every share is an equal stretch of the line, however uneven the experts are. A stretch covers the end of one
// tile, whole tiles, and the beginning of another; tiles that lie in several shares are added up afterwards in the
// order of the shares.
#pragma once

#include <cstdint>

#include "core/cuda/random.cuh"  // ABSORB_HOST_DEVICE

namespace absorb::kernels::schedule {

/// Steps [begin, end) of the `steps` of one tile.
struct Piece {
  int expert, tile, begin, end, steps;

  ABSORB_HOST_DEVICE bool whole() const { return begin == 0 && end == steps; }
};

/// Steps of a tile of an expert with `rows` rows.
ABSORB_HOST_DEVICE int steps_of(int rows, int rows_a_step) {
  return (rows + rows_a_step - 1) / rows_a_step;
}

/// First step of share `share` of `shares` in a line of `total` steps.
ABSORB_HOST_DEVICE int share_begin(int total, int share, int shares) {
  return static_cast<int>(static_cast<int64_t>(total) * share / shares);
}

/// The share that has step `step`.
ABSORB_HOST_DEVICE int share_of(int step, int total, int shares) {
  return static_cast<int>(((static_cast<int64_t>(step) + 1) * shares - 1) / total);
}

/// The piece that begins at step `from` of the line and ends with its tile, or at `to`. `first` [E+1] is where each
/// expert's steps begin; from < to <= first[E].
ABSORB_HOST_DEVICE Piece piece_at(const int* first, int tiles, int from, int to) {
  Piece piece{};
  while (first[piece.expert + 1] <= from) ++piece.expert;
  const int within = from - first[piece.expert];
  piece.steps = (first[piece.expert + 1] - first[piece.expert]) / tiles;
  piece.tile = within / piece.steps;
  piece.begin = within % piece.steps;
  piece.end = to - from < piece.steps - piece.begin ? piece.begin + to - from : piece.steps;
  return piece;
}

/// Where share `share` leaves the sum of a piece that isn't a whole tile: of [2 shares] places.
ABSORB_HOST_DEVICE int partial_place(int share, bool tile_begins_here) {
  return 2 * share + (tile_begins_here ? 1 : 0);
}

/// With which step of a piece to begin (then on to its end, then from its begin): shares that work on the same rows at
/// the same time find them in the cache, so all start at multiples of a share's length.
ABSORB_HOST_DEVICE int rotation(const Piece& piece, int share_length) {
  const int start = (piece.begin + share_length - 1) / share_length * share_length;
  return start < piece.end ? start : piece.begin;
}

}  // namespace absorb::kernels::schedule
