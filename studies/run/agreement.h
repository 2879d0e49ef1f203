// Mask agreement with the oracle (science.md section 4): always beside the deployed loss, because a high F1 alone
// misleads.
#pragma once

#include "router/route.h"
#include "studies/folder/records/deployment.h"

namespace absorb {

/// Sums over sites and passes. In attention over queries that see more keys than the budget allows.
class AgreementSums {
 public:
  void add(const Routing& routing, const RouterInput& input, const RoutingTask& task);
  bool empty() const { return passes_ == 0; }
  AgreementRecord agreement() const;

 private:
  double both_ = 0, either_ = 0, routed_ = 0, oracle_ = 0;  // choices
  double mass_ = 0, oracle_mass_ = 0, density_ = 0;
  int64_t passes_ = 0, budgeted_ = 0;
};

}  // namespace absorb
