// What travels through every forward call besides the tensors themselves, passed explicitly so that two passes never
// share hidden state.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"

namespace absorb {

class FusedWeights;

/// A named place in the model: "blocks.3.attention", "blocks.3.experts".
using Site = std::string;

struct Pass {
  bool training = false;
  /// Asks for operations whose gradients have gradients in turn; fused attention has none.
  bool twice_differentiable = false;
  /// Products in bf16, reductions in fp32 (training.precision).
  bool bf16 = false;
  /// Defined: kernels run where there are some. Null: LibTorch's composition, the definition, runs everything.
  std::shared_ptr<const FusedWeights> fused = {};
  /// The optimiser keeps the bf16 copy of the parameters in step with them: nobody needs to copy them anew.
  bool weights_in_step = false;
  uint64_t seed = 0;
  Tensor step = {};    // int64 scalar on the device, so that a captured graph advances; undefined: step 0
  Tensor tokens = {};  // [B,T] int64
  /// What the objective multiplies every token's loss by, a float scalar on the device: where it is known beforehand,
  /// gradients of the vocabulary's logits can be formed with the losses. Undefined: only the backward pass knows.
  Tensor loss_scale = {};
  /// Routing losses by "<site>/<loss>", already multiplied by their coefficients; the trainer adds them up.
  std::map<std::string, Tensor> losses = {};
  /// Whether routes also leave in `densities` the share of visible choices that each of them kept, by site.
  bool account = false;
  std::map<Site, Tensor> densities = {};
  /// Gets what each writer adds to the residual stream, [B,T,D], and returns what is added instead: "embedding",
  /// "blocks.3.attention", "blocks.3.feed_forward" (its experts, where it has some). Empty: nobody looks.
  std::function<Tensor(const Site&, const Tensor&)> write = {};
  /// What has to happen once the step is taken, without gradients: selections and routers with state leave it here.
  std::vector<std::function<void()>> after_step = {};
  /// Products that one wide one has already made (linear_with_followers), by the weight they are of.
  struct Product {
    Tensor x, y;
  };
  std::map<const void*, Product> products = {};
  /// Where gradients of tensors in one storage are best written, by storage: gradient_home() reads it.
  std::map<const void*, std::shared_ptr<Tensor>> gradient_buffers = {};
  /// Something in this pass waits for the GPU, so that the step can't be captured in a graph.
  bool waits = false;

  /// What kernels need, in a pass that runs them; null: the composition runs. No kernel has a second derivative.
  const FusedWeights* kernels() const { return twice_differentiable ? nullptr : fused.get(); }
  /// The stream of one purpose at one site at this step: the same in every arm of a seed.
  RandomKey random(std::string_view purpose, const Site& site) const;
  /// x with each element dropped with probability `rate` in training; x itself otherwise.
  Tensor dropout(const Tensor& x, double rate, const Site& site) const;
  /// y after `write`.
  Tensor written(const Site& site, const Tensor& y) const { return write ? write(site, y) : y; }
};

}  // namespace absorb
