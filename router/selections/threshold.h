// Every choice whose score is above a fixed threshold: a budget that the router itself decides (science.md section 3).
#pragma once

#include "router/selection.h"

namespace absorb {

struct ThresholdSettings {
  double value = 0;
  std::string weight = "sigmoid";
  std::string gradient = "weights";
  bool self = true;
};
void fields(Fields& list, ThresholdSettings& settings);

void add_threshold(Selections& selections);

}  // namespace absorb
