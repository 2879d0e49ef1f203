// Mask agreement with the oracle (science.md section 4): always beside the deployed loss, because a high F1 alone
// misleads.
#pragma once

#include "router/route.h"

namespace absorb {

/// How far what a routing keeps is what the layer itself would: its top choices by QK^T, or by the experts' gains.
struct Agreement {
  double f1 = 0, jaccard = 0;  // with the oracle's mask of the same budget; NaN for a routing without one
  double mass = 0;             // share of the layer's own softmax (of gain / tau for experts) on what is kept
  double oracle_mass = 0;      // the same for the oracle's mask: nothing of this size can hold more; NaN without budget
  double density = 0;          // share of the visible choices that are kept
};

/// Sums over sites and passes. In attention over queries that see more keys than the budget allows.
class AgreementSums {
 public:
  void add(const Routing& routing, const RouterInput& input, const RoutingTask& task);
  bool empty() const { return passes_ == 0; }
  Agreement agreement() const;

 private:
  double both_ = 0, either_ = 0, routed_ = 0, oracle_ = 0;  // choices
  double mass_ = 0, oracle_mass_ = 0, density_ = 0;
  int64_t passes_ = 0, budgeted_ = 0;
};

}  // namespace absorb
