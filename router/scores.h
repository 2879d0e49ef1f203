// What a router says: a score for every (item, choice). Scores stay factored wherever they can, so that a kernel never
// needs the [T,C] matrix; dense() is the definition that every kernel must agree with.
//
// Letters used for shapes throughout: B batch, T items (time), C choices (keys or experts), G routing groups (attention
// heads; 1 for experts), K kept choices, R rank, D width.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "tensors/parameters.h"
#include "tensors/pass.h"

namespace absorb {

/// Which choices an item may see. causal_late: choose among all, then hide the future (the paper's order).
enum class Visible { all, causal, causal_late };

/// What a router is asked to do at one site.
struct RoutingTask {
  int64_t width = 0;    // D of the items
  int64_t groups = 1;   // G
  int64_t choices = 0;  // number of experts; 0: the items themselves are the choices (attention)
  Visible visible = Visible::all;
  Component component;     // of the router's parameters: (layer, attention_router or expert_router)
  int64_t context = 0;     // most items in a sequence; 0: not known
  double score_sd = 1;     // sd of the scores at the start, given items of unit variance; 0: weights N(0, 0.02)
  int64_t vocabulary = 0;  // token ids are below it; 0: not known
  std::string input = {};  // the items' name, for parameters that multiply them (Parameters::add), where sharing a
                           // product with the layer's own pays; empty: it doesn't

  bool attention() const { return choices == 0; }
  /// Standard deviation for a matrix that maps `inputs` unit-variance features to a feature of sd `target`.
  double init_std(int64_t inputs, double target) const;
};

/// score(b,g,t,c) = (factor * items . choices, or dense, or 0) * scale[g] + shift[g] + noise * gauss(key; b,g,t,c)
struct Scores {
  int64_t batch = 1, groups = 1, items_count = 0, choices_count = 0;  // B, G, T, C
  Tensor dense;                                                       // [B|1,G,T|1,C] or undefined
  Tensor items, choices;                                              // [B|1,G,T,R], [B|1,G,C,R] or undefined
  double factor = 1;                                                  // of the product of items and choices
  Tensor scale, shift;                                                // [G] or undefined
  double noise = 0;
  RandomKey key;
  at::Device device = at::kCPU;
  bool fused = false;  // kernels may read the factors, where there are some (Pass::kernels)
};

/// Scores that are given one by one, [B,G,T,C].
Scores scores_of(const Tensor& dense_scores);
/// [B,G,T,C]: the definition. No choice is hidden.
Tensor dense(const Scores& scores);
/// bool [T,C], true where a choice may be seen; undefined when all may.
Tensor visible_mask(Visible visible, int64_t items, int64_t choices, at::Device device);
/// scores * factor
Scores scaled(Scores scores, double factor);
/// Each sequence gets the scores of another one of the batch, position by position (over time they would leak the
/// future). UserError when the batch holds one sequence.
Scores shuffled(Scores scores);
Scores detached(Scores scores);
/// The same scores with dense() evaluated once, for callers that ask for it several times.
Scores materialised(const Scores& scores);

/// Rescales scores whose moments are `from` [2,G] so that they become `to` [2,G].
Scores matched(Scores scores, const Tensor& from, const Tensor& to);

}  // namespace absorb
