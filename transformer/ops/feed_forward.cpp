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

FeedForward make_feed_forward(const Parameters& parameters, const FeedForwardShape& shape, Init init) {
  const Component part{shape.layer, Part::feed_forward, 0};
  const int64_t hidden = shape.hidden, width = shape.width, inputs = inputs_of_activation(shape.activation) * hidden;
  FeedForward made;
  made.activation = shape.activation;
  made.in = inputs == hidden
                ? parameters.add("in", {hidden, width}, init, part)
                : parameters.pack("in", {width}, {{"gate", part, hidden, init}, {"up", part, hidden, init}});
  if (shape.biases) made.in_bias = parameters.add("in_bias", {inputs}, Init::zeros(), part);
  made.out = parameters.add("out", {hidden, width}, init, part);
  if (shape.biases) made.out_bias = parameters.add("out_bias", {width}, Init::zeros(), part);
  return made;
}

Branch feed_forward_composition(const Tensor& x, const FeedForward& layer, const Pass& pass) {
  const Tensor h = activated(x.reshape({-1, x.size(-1)}), layer.in, activation_of(layer), pass);
  const Tensor y = layer.out_bias.defined() ? at::addmm(layer.out_bias, h, layer.out) : at::matmul(h, layer.out);
  return {y.view(x.sizes()), {}, layer.dropout, layer.site};
}

Branch feed_forward_by_kernels(const Tensor& x, const FeedForward& layer, const Pass& pass) {
  const Tensor h = activated(x, layer.in, activation_of(layer), pass);
  return {product(h, layer.out, pass), layer.out_bias, layer.dropout, layer.site};
}

Branch feed_forward(const Tensor& x, const FeedForward& layer, const Pass& pass) {
  return runs_kernel(pass) ? feed_forward_by_kernels(x, layer, pass) : feed_forward_composition(x, layer, pass);
}

}  // namespace absorb
