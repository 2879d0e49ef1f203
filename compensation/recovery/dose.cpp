#include "compensation/recovery/dose.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace absorb {
namespace {

struct Point {
  double dose = 0, damage = 0;
};

/// Strictly inside of (low, high). `low.dose` 0: nothing is known between 0 and `high` yet.
double next_dose(const Point& low, const Point& high, double target, int64_t evaluation) {
  if (low.dose == 0) {
    // Slope 1 first; damage that falls more slowly than the dose gets a smaller one each time.
    const double part = std::isfinite(high.damage) ? std::pow(target / high.damage, evaluation + 1) : 0.1;
    return high.dose * std::clamp(part, 1e-3, 0.9);
  }
  const double width = std::log(high.dose / low.dose);
  double part = 0.5;
  if (evaluation % 3 != 2 && low.damage > 0 && std::isfinite(high.damage) && high.damage > low.damage)
    part = std::clamp(std::log(target / low.damage) / std::log(high.damage / low.damage), 0.02, 0.98);
  return low.dose * std::exp(part * width);
}

}  // namespace

Dose find_dose(const std::function<double(double dose)>& damage, const DoseSearch& search) {
  check(search.target > 0 && search.largest_damage >= search.target, "[find_dose] {} nats can't be reached with {}",
        search.target, search.largest_damage);
  Point low, high{search.largest, search.largest_damage};
  Dose best{high.dose, high.damage, 0, false};
  const auto miss = [&](double cost) { return std::abs(cost - search.target); };
  best.reached = miss(best.damage) <= search.tolerance * search.target;
  while (!best.reached && best.evaluations < search.evaluations) {
    const double dose = next_dose(low, high, search.target, best.evaluations++);
    const double cost = damage(dose);
    (cost < search.target ? low : high) = {dose, cost};
    if (!(miss(cost) < miss(best.damage))) continue;
    best.dose = dose;
    best.damage = cost;
    best.reached = miss(cost) <= search.tolerance * search.target;
  }
  return best;
}

}  // namespace absorb
