// The feed-forward layer. It has no kernels but its operations' own, the products' and the activation's: where they
// run, the last bias is left to the norm that adds the layer to the stream.
#pragma once

#include "transformer/ops/norm.h"

namespace absorb {

struct FeedForward {
  Tensor in, in_bias, out, out_bias;  // [I,D], [I], [F,D], [D], I = F, or 2F with swiglu; biases may be undefined
  std::string activation;
  double dropout = 0;  // after the activation, and of what the layer adds to the stream
  Site site;
};
struct FeedForwardShape {
  int64_t layer = 0, width = 0, hidden = 0;  // D, F
  std::string activation = "gelu";
  bool biases = true;
};
/// The layer's tensors, added below `parameters`: in (with swiglu gate and up), out, in_bias, out_bias.
FeedForward make_feed_forward(const Parameters& parameters, const FeedForwardShape& shape, Init init);

/// act(x in^T + in_bias) out + out_bias, for x [B,T,D].
Branch feed_forward(const Tensor& x, const FeedForward& layer, const Pass& pass);
Branch feed_forward_composition(const Tensor& x, const FeedForward& layer, const Pass& pass);
/// In a pass that runs kernels: bf16.
Branch feed_forward_by_kernels(const Tensor& x, const FeedForward& layer, const Pass& pass);

}  // namespace absorb
