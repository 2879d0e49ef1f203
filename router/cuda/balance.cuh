// The load balance of experts, E sum_e f_e P_e (router/losses/balance.h), and its derivative: two launches forward, one
// backward, none of which leaves anything of size [N,E] behind. Sums have a fixed order. Launchers of plain pointers.
#pragma once

#include <cstdint>

#include "tensors/cuda/types.h"

namespace absorb::kernels {

constexpr int64_t most_balanced_experts = 64;

/// f_e: share of the kept choices (the `kept` largest of scores + bias of each token; of equal ones the lowest wins)
/// that are expert e. P_e: mean over tokens of the softmax of the scores, or of log sigmoid of the scores.
struct Balance {
  int64_t tokens = 0, experts = 0, kept = 0;  // N, E <= 64, 1 <= K <= E
  const float* scores = nullptr;              // [N,E], or null where
  const Bf16* scores_bf16 = nullptr;          // [N,E] is given
  const float* bias = nullptr;                // [E] or null: added to choose alone
  bool sigmoid = false;
};

/// Floats of workspace that balance_forward needs.
int64_t balance_workspace(const Balance& balance);
/// loss[0] = E sum_e f_e P_e and share [E] = f.
void balance_forward(const Balance& balance, float* workspace, float* loss, float* share, void* stream);
/// dscores = gradient[0] d loss / d scores, [N,E] in the scores' type (the other null); f is a constant.
void balance_backward(const Balance& balance, const float* share, const float* gradient, float* dscores,
                      Bf16* dscores_bf16, void* stream);

}  // namespace absorb::kernels
