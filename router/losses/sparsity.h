// The paper's sparsity penalty (science.md section 2): relu(target - (1 - mean weight))^2, the mean over all T x T
// entries, the future included.
#pragma once

#include "router/loss.h"

namespace absorb {

struct SparsitySettings {
  LossSettings common;
  double target = 0.875;
};
void fields(Fields& list, SparsitySettings& settings);

void add_sparsity(RoutingLosses& losses);

}  // namespace absorb
