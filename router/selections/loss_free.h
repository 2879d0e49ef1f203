// Balance without a loss (Wang et al., arXiv:2408.15664): each expert's score gets a bias when experts are chosen,
// never when they are weighed, and after every step the bias of an overloaded expert falls by `rate`, that of the
// others rises. The one selection that keeps state.
#pragma once

#include "router/selection.h"

namespace absorb {

struct LossFreeSettings {
  int64_t k = 2;
  std::string weight = "softmax_kept";
  std::string gradient = "weights";
  double rate = 1e-3;
};
void fields(Fields& list, LossFreeSettings& settings);

void add_loss_free(Selections& selections);

}  // namespace absorb
