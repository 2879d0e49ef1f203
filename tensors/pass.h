// What travels through every forward call besides the tensors themselves, passed explicitly so that two passes never
// share hidden state: what is asked for, what comes out besides the result, and what operations keep for each other.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/random.h"

namespace absorb {

class FusedWeights;

/// A named place in the model: "blocks.3.attention", "blocks.3.experts".
using Site = std::string;

/// What is asked of a pass. Whoever makes one says it; nothing that runs in the pass changes it.
struct PassInput {
  bool training = false;
  /// Asks for the losses of layers, where the model supervises them, outside training, too.
  bool layers = false;
  /// Asks for operations whose gradients have gradients in turn; no kernel has any.
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
  /// What the vocabulary's logits are multiplied by: 1 / temperature.
  double logit_scale = 1;
  /// Whether routes also leave in `densities` the share of visible choices that each of them kept.
  bool account = false;
  /// Gets what each writer adds to the residual stream, [B,T,D], and returns what is added instead: "embedding",
  /// "blocks.3.attention", "blocks.3.feed_forward" (its experts, where it has some). Empty: nobody looks.
  std::function<Tensor(const Site&, const Tensor&)> write = {};
};

/// What one micro-batch leaves for the state of one site. `update` is called once a step, with what every micro-batch
/// of the step left for that site: a state moves by the step, not by how the step is cut.
struct AfterStep {
  using Seen = std::shared_ptr<const void>;
  Site site;
  Seen seen;
  std::function<void(std::span<const Seen>)> update;
};

/// What a pass leaves besides its result.
struct PassOutput {
  /// Routing losses by "<site>/<loss>", already multiplied by their coefficients; the trainer adds them up.
  std::map<std::string, Tensor> losses = {};
  /// By site, where the input asks for them.
  std::map<Site, Tensor> densities = {};
  /// Forward operations of a token by these densities, a float scalar, where the input asks for them.
  Tensor operations = {};
  /// What has to happen once the step is taken, without gradients: selections and routers with state leave it here.
  std::vector<AfterStep> after_step = {};
  /// Something in this pass waits for the GPU, so that the step can't be captured in a graph.
  bool waits = false;
};

/// What operations of one forward pass leave for each other.
struct PassScratch {
  /// y = x weight^T, which one wide product has already made (linear_with_followers).
  struct Product {
    Tensor weight, x, y;
  };
  std::vector<Product> products = {};
  /// Where gradients of tensors in one storage are best written: gradient_home() reads it. Held weakly: another storage
  /// at the address of one that is gone isn't taken for it, and none lives longer for being listed.
  struct GradientBuffer {
    c10::weak_intrusive_ptr<c10::StorageImpl> storage;
    std::shared_ptr<Tensor> gradient;
  };
  std::vector<GradientBuffer> gradient_buffers = {};
  /// What positions turn queries and keys by (attention/rope.h), [T,d/2] each; undefined before the first layer.
  Tensor rope_cos = {}, rope_sin = {};
};

struct Pass {
  const PassInput in = {};
  PassOutput out = {};
  PassScratch scratch = {};

  /// What kernels need, in a pass that runs them; null: the composition runs.
  const FusedWeights* kernels() const { return in.twice_differentiable ? nullptr : in.fused.get(); }
  /// The stream of one purpose at one site at this step: the same in every arm of a seed.
  RandomKey random(std::string_view purpose, const Site& site) const;
  /// x with each element dropped with probability `rate` in training; x itself otherwise.
  Tensor dropout(const Tensor& x, double rate, const Site& site) const;
  /// y after the input's `write`.
  Tensor written(const Site& site, const Tensor& y) const { return in.write ? in.write(site, y) : y; }
};

/// work(a pass with this input), whose output is `pass`'s: for whoever knows more of a pass than its maker did.
template <class Work>
auto with_input(Pass& pass, PassInput input, const Work& work) {
  Pass informed{std::move(input), std::move(pass.out), {}};
  auto result = work(informed);
  pass.out = std::move(informed.out);
  return result;
}

}  // namespace absorb
