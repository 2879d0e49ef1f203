// Coupling: do two components get their gradients together? ||E[g_i g_j^T]||_F over examples, one example being one
// sequence (docs/science.md section 5, item 3). Surprising, in three places:
// - It is a U-statistic: an example never meets itself. With the diagonal left in, independent noise looks coupled at
//   0.98, since the norm of a mean of random matrices is mostly their noise.
// - Pairs are formed within blocks of 32 examples alone, so that Gram matrices and memory grow with the examples, not
//   with their square; leaving blocks out one by one gives the standard error.
// - Gradients are sketched. The sketches of i and j are independent, so that U_ij stays unbiased over sketches, but
//   U_ii would not: it is corrected (to first order in the chance that two numbers share a bucket). The sketch's own
//   error, about sqrt(2 / sketch) = 2 % at 4,096, is the same in every block and so isn't in the standard error.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "compensation/measures/measurement.h"

namespace absorb {

using at::Tensor;

/// [n, numbers] gradients of n examples -> [n, n] double on the host: G G^T, summed in double.
Tensor gram_of(const Tensor& gradients);

/// The chance that two given numbers share a bucket of CountSketch(key, numbers, dimension); 0 where that is the
/// identity.
double sketch_collision(int64_t numbers, int64_t dimension);

/// All [components, components] double, symmetric, but for the null's three: those are of (i, j) with i < j, the
/// examples of j permuted.
struct CouplingStatistic {
  int64_t examples = 0;
  Tensor squared;               // U, estimates ||E[g_i g_j^T]||_F^2 without bias; nats^4; may be below 0
  Tensor value;                 // U_ij / sqrt(U_ii U_jj), at most 1 in expectation; NaN where a diagonal isn't above 0
  Tensor standard_error;        // of value, jackknife over blocks; NaN for one block
  Tensor null_mean, null_high;  // of value under permutation: mean and 95th percentile
  Tensor p_value;               // (1 + permutations at or above value) / (1 + permutations)
};

struct CouplingNull {
  int64_t permutations = 200;
  uint64_t key = 0;
};

/// `grams`: for each block [components, n, n] double, n >= 2 the same in all. `collisions` [components]: their
/// sketch_collision(); empty: exact gradients.
///
/// With K_c the Gram matrices of a block, U_ij = mean over blocks of sum_{a != b} K_i[a,b] K_j[a,b] / (n (n - 1)).
/// The null permutes the examples of j within each block: K_j[pi(a), pi(b)]. It keeps what each component has alone,
/// U_ii and the mean gradients, and breaks only who goes with whom: two components whose mean gradients aren't 0 are
/// coupled through the means, ||E[g_i]||^2 ||E[g_j]||^2, and their null has that value too. Under it p is uniform.
CouplingStatistic coupling_of(std::span<const Tensor> grams, const CouplingNull& null,
                              std::span<const double> collisions = {});

/// Undirected edges between the parts of layers (part_groups), `from` before `to` in their order. Value
/// U_ij / sqrt(U_ii U_jj), samples = examples. Begins with settings.examples and doubles until settings.precision or
/// most_examples. Details: per edge U (nats^4), sqrt(max(U, 0)) (nats^2), p and the null; U_ii of each node.
/// UserError if there are fewer than two held-out sequences or a gradient isn't finite.
Measurement measure_coupling(Subject& subject, const CompensationSettings& settings, const MeasureContext& context);

void add_coupling(Measures& measures);

}  // namespace absorb
