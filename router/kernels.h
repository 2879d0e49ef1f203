// Factored scores as kernels read them, and what the router's own kernels make of them. Scores that have no factors, or
// none that a kernel takes, go the way of dense().
#pragma once

#include "router/routing.h"

namespace absorb {

/// score(b,g,t,c) = factor * (items . choices) * scale[g] + shift[g], c <= t or not.
struct Factors {
  Tensor items, choices;  // [B,G,T,R] bf16, R a multiple of 8 and contiguous; differentiable in the scores' own
  double factor = 1;
  Tensor scale, shift;  // [G] fp32 contiguous, or undefined
};

/// Whether kernels may read these scores: in a pass that runs them, factored, without noise, as many choices as items.
bool has_factors_for_kernels(const Scores& scores);
Factors factors_for_kernels(const Scores& scores);

/// Whether a kernel finds the top k of so many choices.
bool has_top_k_kernel(const Scores& scores);
/// top_k() over the choices c <= t, from fp32 scores that are never stored.
KeepTop top_k_by_kernel(const Factors& factors, int64_t k, bool self);

/// Whether a kernel computes the sparsity penalty of this routing: a sigmoid that keeps all, in a pass that runs them.
bool has_sparsity_kernel(const Routing& routing);
/// relu(target - (1 - mean weight))^2 (router/losses/sparsity.h): a float scalar, differentiable in the scores'
/// factors.
Tensor sparsity_by_kernel(const Routing& routing, double target);

/// Whether a kernel computes the load balance of this routing: a budget of at most 64 experts, in a pass that runs
/// them.
bool has_balance_kernel(const Routing& routing);
/// E sum_e f_e P_e (router/losses/balance.h): a float scalar, differentiable in the scores' dense values.
Tensor load_balance_by_kernel(const Routing& routing);

}  // namespace absorb
