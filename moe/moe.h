// The sublayer of experts that stands in place of a feed-forward layer: its parameters, and its routing passed in. What
// experts compute is moe/experts.h.
#pragma once

#include "core/settings.h"
#include "moe/experts.h"
#include "router/route.h"

namespace absorb {

struct MoeSettings {
  int64_t experts = 8;
  int64_t hidden = 0;
  std::string activation = "gelu";
  bool biases = true;
  int64_t shared = 0;
  std::vector<int64_t> layers;
};
void fields(Fields& list, MoeSettings& settings);

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
  const Experts& experts() const { return experts_; }

 private:
  Site site_;
  MoeSettings settings_;
  MoeShape shape_;
  Experts experts_;
};

}  // namespace absorb
