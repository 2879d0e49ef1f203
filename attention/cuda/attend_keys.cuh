// How a block of 64 queries goes over the keys up to its last: in the forward kernel and in the backward's query pass.
// For .cu files alone. A Plan says how a kernel spends registers and shared memory: its sizes and byte offsets.
#pragma once

#include "attention/cuda/attend_tile.cuh"

namespace absorb::kernels::attend {

/// Starts to copy tile `j` of keys, values and choices to its stage.
template <typename Plan, typename Call>
__device__ __forceinline__ void load_keys(const Call& call, const Place& place, uint32_t shared, int j) {
  const int first = j * tile_columns, stage = j % Plan::stages, items = call.shape.items;
  load_rows<Plan::width>(shared + Plan::k + stage * Plan::wide, call.k, place, first, items, Plan::width);
  if constexpr (Plan::rank > 0)
    load_rows<Plan::rank>(shared + Plan::choices + stage * Plan::narrow, call.gate.choices, place, first, items,
                          call.shape.rank);
  load_rows<Plan::width>(shared + Plan::v + stage * Plan::wide, call.v, place, first, items, Plan::width);
  tile::commit_copies();
}

/// Plan::chunk keys from `first` on: where their rows of a tile begin.
struct Keys {
  int first;
  uint32_t k, v, choices;
};

/// visit(Keys) for every chunk that the warp's queries see. The first tile is under way.
template <typename Plan, typename Call, typename Visit>
__device__ __forceinline__ void each_keys(const Call& call, const Warp& warp, uint32_t shared, Visit&& visit) {
  const int tiles = tiles_of(warp.first + warp.valid, tile_columns);
  for (int j = 0; j < tiles; ++j) {
    if (Plan::stages == 1 && j > 0) {
      __syncthreads();
      load_keys<Plan>(call, warp.place, shared, j);
    }
    tile::wait_copies<0>();
    __syncthreads();
    if (Plan::stages == 2 && j + 1 < tiles) load_keys<Plan>(call, warp.place, shared, j + 1);
    const uint32_t k = shared + Plan::k + j % Plan::stages * Plan::wide, v = k + Plan::v - Plan::k;
    const uint32_t choices = shared + Plan::choices + j % Plan::stages * Plan::narrow;
#pragma unroll 1
    for (int start = 0; start < tile_columns; start += Plan::chunk) {
      const int first = j * tile_columns + start;
      if (first > warp.own() + 15) break;
      visit(Keys{first, k + start * Plan::width * 2, v + start * Plan::width * 2, choices + start * Plan::rank * 2});
    }
  }
}

}  // namespace absorb::kernels::attend
