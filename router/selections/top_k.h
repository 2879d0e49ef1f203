// The hard budget: each item keeps its k best choices (science.md sections 2 and 3).
#pragma once

#include "router/selection.h"

namespace absorb {

struct TopKSettings {
  int64_t k = 2;
  std::string weight = "softmax_kept";
  std::string gradient = "weights";
  bool self = true;
  std::string order = "causal";
};
void fields(Fields& list, TopKSettings& settings);

void add_top_k(Selections& selections);

}  // namespace absorb
