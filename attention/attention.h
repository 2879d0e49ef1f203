// The attention sublayer: Q, K, V and O around attend(), with its routing passed in. Surprising: where several heads
// share keys and values, attend() and the routers get them once for each head.
#pragma once

#include <optional>

#include "attention/attend.h"
#include "attention/rope.h"
#include "core/settings.h"
#include "router/route.h"

namespace absorb {

struct AttentionSettings {
  std::string native = "qk";
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  std::string qk_norm = "none";
  std::string biases = "none";
};
void fields(Fields& list, AttentionSettings& settings);

struct AttentionShape {
  int64_t layer = 0, width = 0, heads = 1, context = 0;
  double dropout = 0, init_std = 0.02;
  double norm_epsilon = 1e-5;             // of norms of queries and keys
  std::optional<RopeSettings> rope = {};  // none: positions are the embedding's
};

/// How many of what a layer has, once its settings' zeros are resolved.
struct AttentionHeads {
  int64_t heads = 1, kv_heads = 1, dim = 0;
  int64_t q_rows() const { return heads * dim; }
  int64_t kv_rows() const { return kv_heads * dim; }
};
/// UserError where heads don't fit the width, or don't share keys evenly.
AttentionHeads attention_heads(const AttentionSettings& settings, const AttentionShape& shape);

class Attention {
 public:
  Attention(Site site, const AttentionSettings& settings, const AttentionShape& shape, const Parameters& parameters);
  /// x [B,T,D] -> [B,T,D]; `route` null: dense.
  Tensor operator()(const Tensor& x, const Routes& routes, Pass& pass) const;
  RoutingTask task() const;
  const Site& site() const { return site_; }

 private:
  /// q, k, v [B,H,T,d] of x, with keys and values of several heads repeated; q and k undefined without QK^T.
  AttendInput project(const Tensor& x, bool with_followers, Pass& pass) const;
  Tensor normed(const Tensor& x, const Tensor& weight) const;
  Site site_;
  AttentionSettings settings_;
  AttentionShape shape_;
  AttentionHeads heads_;
  bool has_scores_;
  Tensor qkv_, out_;            // [(H + 2 KV) d,D], or [KV d,D] without Q and K; [D,H d]
  Tensor qkv_bias_, out_bias_;  // [rows of qkv], [D], or undefined
  Tensor q_norm_, k_norm_;      // [d], or [H d] and [KV d] over all heads, or undefined
};

}  // namespace absorb
