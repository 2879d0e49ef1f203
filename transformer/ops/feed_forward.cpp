#include "transformer/ops/feed_forward.h"

#include <torch/types.h>

#include "moe/activation.h"
#include "tensors/kernels/kernel_choice.h"
#include "tensors/linear/linear.h"

namespace absorb {
namespace {

Activation activation_of(const FeedForward& layer) {
  return {layer.activation, layer.in_bias, {}, layer.dropout, layer.site + "/hidden"};
}

}  // namespace

FeedForward make_feed_forward(const Parameters& parameters, int64_t layer, int64_t width, int64_t hidden, Init init) {
  const Component part{layer, Part::feed_forward, 0};
  FeedForward made;
  made.in = parameters.add("in", {hidden, width}, init, part);
  made.in_bias = parameters.add("in_bias", {hidden}, Init::zeros(), part);
  made.out = parameters.add("out", {hidden, width}, init, part);
  made.out_bias = parameters.add("out_bias", {width}, Init::zeros(), part);
  return made;
}

Branch feed_forward_composition(const Tensor& x, const FeedForward& layer, const Pass& pass) {
  const Tensor h = activated(x.reshape({-1, x.size(-1)}), layer.in, activation_of(layer), pass);
  return {at::addmm(layer.out_bias, h, layer.out).view(x.sizes()), {}, layer.dropout, layer.site};
}

Branch feed_forward_by_kernels(const Tensor& x, const FeedForward& layer, const Pass& pass) {
  const Tensor h = activated(x, layer.in, activation_of(layer), pass);
  return {product(h, layer.out, pass), layer.out_bias, layer.dropout, layer.site};
}

Branch feed_forward(const Tensor& x, const FeedForward& layer, const Pass& pass) {
  return runs_kernel(pass) ? feed_forward_by_kernels(x, layer, pass) : feed_forward_composition(x, layer, pass);
}

}  // namespace absorb
