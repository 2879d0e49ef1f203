// What compensation measures. Everything in this folder sees a trained run through this interface alone, so that the
// measures can be tried on linear subjects whose answers are known in closed form; studies/ holds the adapter for real
// runs. Surprising: a subject never changes. adapt() works on a copy and says only what the copy's losses were, so that
// measurements can be made in any order, repeated, and taken up again after an interruption.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compensation/subject/groups.h"

namespace absorb {

/// Numbers of held-out sequences, each in [0, Subject::held_out()).
using Examples = std::span<const int64_t>;

/// What is done to a subject before anything is measured. No components: nothing.
///
/// A router (part attention_router or expert_router) routes a share `dose` in [0, 1] of the items by draw number `draw`
/// of a random router, matched to the learned scores' mean and sd per layer and group; which items are replaced at a
/// dose are also replaced at every larger one. Any other component gets `dose` times its root mean square times draw
/// `draw` of a standard normal added to its numbers. The same draw is the same disturbance in every call.
struct Disturbance {
  std::vector<Component> components;
  uint64_t draw = 0;
  double dose = 1;
};

/// The numbers of all parts of an adaptation, dealt out anew into random parts of the same sizes.
struct Dealt {
  uint64_t draw = 0;                // the same draw is the same partition, whatever is chosen
  std::vector<std::size_t> chosen;  // places of the parts that learn, rising; the others keep their values
};

/// Which components learn, in which subspace, and for how long; nothing else moves. A disturbed component that learns
/// starts from what the disturbance made of it.
struct Adaptation {
  /// Each part in a subspace of its own (compensation/subject/sketch.h), the same whatever adapts beside it; none is
  /// empty.
  std::vector<std::vector<Component>> parts;
  std::vector<int64_t> steps;  // rising; losses are read after each
  int64_t dimension = 0;       // of the subspace of each part; 0: all its numbers
  uint64_t subspace = 0;       // the draw
  std::optional<Dealt> dealt = {};
};
/// All components of all parts, in order.
std::vector<Component> trained(const Adaptation& adaptation);

struct Adapted {
  std::vector<std::vector<double>> losses;  // [steps][examples], nats per token; may be empty if `diverged`
  bool diverged = false;                    // a loss that is not finite, or beyond what the subject takes for one
};

/// A routed layer of E experts as its router and its experts see their common input x [D] of N tokens. All in double,
/// on the CPU.
struct ExpertLayer {
  Component router;
  Tensor directions;  // [E,D] d score_e / d x, the mean over tokens; all 0 where the router doesn't read x
  Tensor inputs;      // [E,F,D] what each expert multiplies x by first
  Tensor scores;      // [E,N] the router's own, before anything modifies them
  Tensor responses;   // [E,N] norm of the expert's F activations
};

class Subject {
 public:
  virtual ~Subject() = default;

  /// Equal for two subjects only if all their answers are: made from the weights, the adaptation batches and rate and
  /// the held-out text. It names cached measurements.
  virtual std::string identity() const = 0;
  /// Every learnable component once; layers count from 0, parts outside the blocks have layer -1.
  virtual std::span<const Component> components() const = 0;
  /// How many numbers a component has.
  virtual int64_t numbers(const Component& component) const = 0;
  /// How many blocks.
  virtual int64_t layers() const = 0;
  /// How many held-out sequences there are. All are of one length, so that a mean over them is one over tokens.
  virtual int64_t held_out() const = 0;
  virtual int64_t tokens_per_sequence() const = 0;
  /// The constant learning rate of adapt().
  virtual double rate() const = 0;

  /// [examples], nats per token of each held-out sequence, without adaptation.
  virtual std::vector<double> losses(Examples examples, const Disturbance& disturbance) = 0;
  /// Trains a copy and returns its held-out losses: fresh optimiser state, constant rate = peak / 10, no weight decay,
  /// dropout off, the same batches for every disturbance and every set of components (docs/science.md section 5). 0
  /// steps return losses() bit for bit.
  virtual Adapted adapt(const Disturbance& disturbance, const Adaptation& adaptation, Examples examples) = 0;

  /// [numbers of the group], the trained values in the order of its components; on any device.
  virtual Tensor values(const Group& group) = 0;
  /// For each group [examples, numbers], or [examples, dimension] count-sketched (compensation/subject/sketch.h) where
  /// it has more numbers than that (dimension 0: never): gradients of each example's mean loss in nats per token. The
  /// sketch of a group is the same in every call.
  virtual std::vector<Tensor> example_gradients(std::span<const Group> groups, Examples examples,
                                                int64_t dimension) = 0;
  /// For each group [numbers]: gradient of the mean loss over `examples`, under a disturbance. Where a disturbed router
  /// is in a group, its numbers are those of the random router.
  virtual std::vector<Tensor> gradients(std::span<const Group> groups, const Disturbance& disturbance,
                                        Examples examples) = 0;
  /// For each group j [numbers]: H_jb v, the rows of the second derivatives of the mean loss over `examples` between
  /// group j and group `block`, times v [numbers of that group].
  virtual std::vector<Tensor> hessian_products(std::span<const Group> groups, std::size_t block, const Tensor& v,
                                               Examples examples) = 0;

  /// The groups that write to the residual stream, in order: the embedding, each layer's attention (named "<l>.o") and
  /// feed-forward layer or experts (named "<l>.feed_forward", "<l>.expert").
  virtual std::vector<Group> writers() const = 0;
  /// [writers, examples] double, mean over tokens: each writer's direct effect on the target's logit, less that on the
  /// mean logit of the vocabulary, through the final norm with its scale frozen at that of the whole model. `ablated`:
  /// the place in writers() of one whose output is replaced by its mean over the examples' tokens.
  virtual Tensor direct_effects(std::optional<std::size_t> ablated, Examples examples) = 0;
  /// [examples], nats per token of each held-out sequence while every writer in `ablated` (places in writers()) writes
  /// its mean over the examples' tokens, that of the whole model, however many are ablated. None: losses() bit for bit.
  virtual std::vector<double> ablated_losses(std::span<const std::size_t> ablated, Examples examples) = 0;
  /// Every layer of experts that has a router, in order, over the examples' tokens; none where experts aren't routed.
  virtual std::vector<ExpertLayer> expert_layers(Examples examples) = 0;
};

}  // namespace absorb
