// Where every token goes under a budget: a counting sort by expert, whose inverse brings results back without atomics.
// dispatch() chooses between the sort that runs on a CPU and the composition; on a GPU kernels sort inside of
// experts_by_kernel().
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace absorb {

using at::Tensor;

/// Where every (token, kept expert) pair goes when pairs are sorted by expert, tokens in order within one.
struct Dispatch {
  Tensor order;               // [N*K] int64: the pair that stands at each sorted place; pair = token * K + slot
  Tensor inverse;             // [N*K] int64: the sorted place of each pair
  std::vector<int64_t> ends;  // [E] one past each expert's last sorted place
};
/// From kept experts [N,K] int64. Counting sort on a CPU; a stable sort elsewhere: the same result.
Dispatch dispatch(const Tensor& kept, int64_t experts);
Dispatch dispatch_composition(const Tensor& kept, int64_t experts);

}  // namespace absorb
