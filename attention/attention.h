// The attention sublayer: Q, K, V and O around attend(), with its routing passed in.
#pragma once

#include "attention/attend.h"
#include "core/settings.h"
#include "router/route.h"

namespace absorb {

struct AttentionSettings {
  std::string native = "qk";
};
void fields(Fields& list, AttentionSettings& settings);

struct AttentionShape {
  int64_t layer = 0, width = 0, heads = 1, context = 0;
  double dropout = 0, init_std = 0.02;
};

class Attention {
 public:
  Attention(Site site, const AttentionSettings& settings, const AttentionShape& shape, const Parameters& parameters);
  /// x [B,T,D] -> [B,T,D]; `route` null: dense.
  Tensor operator()(const Tensor& x, const Routes& routes, Pass& pass) const;
  RoutingTask task() const;
  const Site& site() const { return site_; }

 private:
  Site site_;
  AttentionShape shape_;
  bool has_scores_;
  Tensor qkv_, out_;  // [3D,D] or [D,D] without Q and K; [D,D]
};

}  // namespace absorb
