// What every selection with kept choices lets a study file say about their weights and gradients.
#pragma once

#include "router/selection.h"

namespace absorb {

Weight weight_named(const std::string& name);
Gradient gradient_named(const std::string& name);
/// The fields `weight` and `gradient`.
void choice_fields(Fields& list, std::string& weight, std::string& gradient);
/// Of a selection that keeps k choices of each item. Attention computes whole tiles of keys whatever is kept, and a
/// straight-through gradient needs what every expert would have put out.
SelectionCost cost_of_kept(int64_t k, Gradient gradient, const RoutingTask& task);
/// Where weights don't depend on the scores, straight_through lets the choice itself learn: the soft mask is
/// sigmoid(score).
Routing with_gate(Routing routing);
/// UserError for a pair that has no meaning.
void require_sense(const std::string& weight, const std::string& gradient);

}  // namespace absorb
