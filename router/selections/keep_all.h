// Selections that keep every visible choice: `always` (no routing: dense attention, or all experts equally), `soft`
// (each weighted by the sigmoid of its score, the paper's soft gate) and `softmax`.
#pragma once

#include "router/selection.h"

namespace absorb {

void add_keep_all(Selections& selections);

}  // namespace absorb
