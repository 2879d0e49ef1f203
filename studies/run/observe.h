// What is read off routings while a trained model reads held-out text: score moments, routing health, attention mass.
#pragma once

#include "router/moments.h"
#include "router/route.h"
#include "studies/folder/records/result.h"

namespace absorb {

/// Health of one site (see SiteHealth).
class HealthSums {
 public:
  void add(const Routing& routing, const RoutingTask& task);
  SiteHealth health(const Site& site) const;
  Tensor moments() const { return moments_.moments(); }

 private:
  MomentSums moments_;
  Tensor counts_;  // [C] double, experts only
  double entropy_ = 0, density_ = 0, margin_ = 0, saturation_ = 0;
  int64_t passes_ = 0;
  bool has_budget_ = false, has_sigmoid_ = false;
};

/// Mass that dense attention puts on the top k keys of queries t >= k, beside that of uniform attention (k / (t+1)).
class MassSums {
 public:
  explicit MassSums(int64_t k) : k_(k) {}
  void add(const Scores& native);
  double mass() const { return mass_ / static_cast<double>(passes_); }
  double uniform() const { return uniform_; }

 private:
  int64_t k_, passes_ = 0;
  double mass_ = 0, uniform_ = 0;
};

}  // namespace absorb
