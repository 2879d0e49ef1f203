// Experts in place of a feed-forward layer. Soft routing runs them as one concatenated layer; a budget dispatches each
// token to its experts by a counting sort and combines through the inverse permutation, without atomics.
#pragma once

#include "core/settings.h"
#include "router/route.h"

namespace absorb {

struct MoeSettings {
  int64_t experts = 8;
  int64_t hidden = 0;
  std::string activation = "gelu";
  bool biases = true;
};
void fields(Fields& list, MoeSettings& settings);

/// "gelu" (erf), "gelu_tanh" or "none".
Tensor activate(const Tensor& x, const std::string& activation);

/// Where every (token, kept expert) pair goes when pairs are sorted by expert, tokens in order within one.
struct Dispatch {
  Tensor order;               // [N*K] int64: the pair that stands at each sorted place; pair = token * K + slot
  Tensor inverse;             // [N*K] int64: the sorted place of each pair
  std::vector<int64_t> ends;  // [E] one past each expert's last sorted place
};
/// From kept experts [N,K] int64. Counting sort on a CPU; a stable sort elsewhere: the same result.
Dispatch dispatch(const Tensor& kept, int64_t experts);
Dispatch dispatch_composition(const Tensor& kept, int64_t experts);

struct MoeShape {
  int64_t layer = 0, width = 0;
  double dropout = 0, init_std = 0.02;
};

class Moe {
 public:
  Moe(Site site, const MoeSettings& settings, const MoeShape& shape, const Parameters& parameters);
  /// x [B,T,D] -> [B,T,D]; the site must have a route.
  Tensor operator()(const Tensor& x, const Routes& routes, Pass& pass) const;
  RoutingTask task() const;
  const Site& site() const { return site_; }

 private:
  Tensor all_experts(const Tensor& x /* [N,D] */, const Tensor& weights /* [N,E] */, const Pass& pass) const;
  Tensor fused_experts(const Tensor& x, const Routing& routing, const Pass& pass) const;
  /// What each expert alone puts out, without dropout: [N,E,D].
  Tensor each_expert(const Tensor& x /* [N,D] */) const;
  Tensor kept_experts(const Tensor& x /* [N,D] */, const Tensor& weights /* [N,E] */, const Tensor& kept /* [N,K] */,
                      const Pass& pass) const;
  Site site_;
  MoeSettings settings_;
  MoeShape shape_;
  Tensor in_, out_;            // [E*F,D] each: expert e has rows e*F to (e+1)*F of both
  Tensor in_bias_, out_bias_;  // [E*F], [E,D] or undefined
};

}  // namespace absorb
