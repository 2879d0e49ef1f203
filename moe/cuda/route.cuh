// Choosing experts: the exact top K of each token's scores, what the kept ones weigh, and the derivative of that.
// Launchers of plain pointers; definitions: top_k() with Visible::all and weights() of router/routing.h.
#pragma once

#include <cstdint>

#include "tensors/cuda/types.h"

namespace absorb::kernels {

constexpr int64_t most_routed_experts = 64;

/// Weight of router/routing.h, in its order.
enum class ExpertWeight { one, mean, sigmoid, softmax, softmax_kept };

struct RouteExperts {
  int64_t tokens = 0, experts = 0, kept = 0;  // N, E <= 64, 1 <= K <= E
  const float* scores = nullptr;              // [N,E], or null where
  const Bf16* scores_bf16 = nullptr;          // [N,E] is given
  int64_t stride = 0;                         // of a token's scores in elements; 0: E
  const float* bias = nullptr;                // [E] or null: added to choose, never to weigh
  ExpertWeight weight = ExpertWeight::softmax;
};

/// kept [N,K]: exactly the K largest of scores + bias, ascending ids. Of equal ones the lowest id wins; NaN counts as
/// -inf. weights [N,K]: of the kept, in the same order.
void route_experts(const RouteExperts& route, int32_t* kept, float* weights, void* stream);

/// dscores (fp32 or bf16, the other null) [N,E] contiguous, written everywhere: 0 where nothing flows. `weights` are
/// what route_experts gave and `dweights` [N,K] the loss's derivative by them.
struct RouteExpertsBackward {
  const int32_t* kept = nullptr;
  const float *weights = nullptr, *dweights = nullptr;
  float* dscores = nullptr;
  Bf16* dscores_bf16 = nullptr;
};
void route_experts_backward(const RouteExperts& route, const RouteExpertsBackward& backward, void* stream);

}  // namespace absorb::kernels
