// A Routing: which choices an item keeps and what they weigh. Routers and selections are open to extension, this
// vocabulary is closed: that is why a new router reaches every kernel. It is a description; weights() and its
// siblings are the definitions in LibTorch operations.
#pragma once

#include <optional>
#include <variant>

#include "router/scores.h"

namespace absorb {

struct KeepAll {};
/// Keeps choices above a threshold, and among those equal to it the first ones up to `last`: a threshold alone can't
/// say which of several ties is kept. The lowest index wins.
struct KeepTop {
  Tensor threshold;  // [B,G,T]; undefined: whoever needs it finds it (experts' kernels choose by themselves)
  Tensor last;       // [B,G,T] int64: the last kept choice among those equal to the threshold
  int64_t k = 0;
  bool self = false;  // the item's own position is always kept, within the budget
  Tensor bias = {};   // [C] or undefined: added to the scores to choose, never to weigh (arXiv:2408.15664)
};
struct KeepMask {
  Tensor mask;  // [B,G,T,C] bool
};
using Keep = std::variant<KeepAll, KeepTop, KeepMask>;

/// one: 1. mean: 1 / number kept. softmax: over all visible choices, as it is. softmax_kept: over the kept, sums to 1.
enum class Weight { one, mean, sigmoid, softmax, softmax_kept };
/// What reaches the router: nothing; the derivative of the kept weights; or, as if all choices were kept (the value is
/// the hard one, the derivative the soft one's).
enum class Gradient { none, weights, straight_through };

struct Routing {
  Scores scores;
  Keep keep = KeepAll{};
  Weight weight = Weight::one;
  Gradient gradient = Gradient::weights;
  Visible visible = Visible::all;
  std::optional<Scores> choice = {};  // what chose, where other scores weigh; never differentiated
  /// straight_through: the soft routing weighs every choice by the sigmoid of this, too, so that a choice learns whose
  /// weight its scores don't make.
  std::optional<Scores> gate = {};
};

/// What decides which choices are kept.
inline const Scores& chosen_by(const Routing& routing) {
  return routing.choice ? *routing.choice : routing.scores;
}
/// True when every visible choice is kept at weight one: such a routing is no routing.
bool is_plain(const Routing& routing);
/// bool [B,G,T,C]: kept and visible; undefined when everything is.
Tensor keep_mask(const Routing& routing, const Tensor& dense_scores);
/// [B,G,T,C]: weights, 0 where a choice isn't kept; differentiable as routing.gradient says.
Tensor weights(const Routing& routing);
/// The same from scores already made dense.
Tensor weights(const Routing& routing, const Tensor& dense_scores);
/// log of weights(), -inf where a choice isn't kept; gradient none or weights only.
Tensor log_weights(const Routing& routing, const Tensor& dense_scores);
/// The same routing as if every visible choice were kept: what straight_through differentiates.
Routing softened(Routing routing);
/// Scalar: mean weight over all T x C entries, the future included (the paper's).
Tensor mean_weight(const Routing& routing);
/// Softmax over the last dimension of what `mask` (undefined: all) leaves; logits may hold -inf of their own. Rows with
/// nothing left, which late causality makes, are 0 where `may_be_empty`, else NaN.
Tensor masked_softmax(Tensor logits, const Tensor& mask, bool may_be_empty);
/// Scalar float: share of the visible choices that are kept.
Tensor density(const Routing& routing);
/// [G,C] double: how often each choice is kept, summed over batch and items.
Tensor counts(const Routing& routing);
/// int64 [B*T,K] for G = 1: the kept choices of each item in ascending order; every item must keep exactly K.
Tensor kept_choices(const Routing& routing);
/// Number of choices a budgeted routing keeps for each item, or 0 when it has no budget.
int64_t budget(const Routing& routing);

/// The top k of the visible scores of each item. `self` forces the own position to be kept.
KeepTop top_k(const Tensor& dense_scores, int64_t k, Visible visible, bool self);
/// The same from scores that may be factored: by a kernel where there is one.
KeepTop top_k(const Scores& scores, int64_t k, Visible visible, bool self);
/// Its definition in LibTorch operations; top_k() itself selects row by row on a CPU. Equal bit for bit.
KeepTop top_k_composition(const Tensor& dense_scores, int64_t k, Visible visible, bool self);

}  // namespace absorb
