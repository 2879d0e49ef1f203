// Equal dose: how strong a disturbance has to be to cost what every disturbance ought to cost.
#pragma once

#include <cstdint>
#include <functional>

namespace absorb {

struct DoseSearch {
  double target = 0;          // > 0, nats per token
  double largest = 1;         // dose that is known to cost `largest_damage` >= target
  double largest_damage = 0;  // may be infinite
  double tolerance = 0.02;    // of the target, to stop at
  int64_t evaluations = 12;   // at most
};

struct Dose {
  double dose = 0, damage = 0;  // of those tried, the one whose damage is nearest the target
  int64_t evaluations = 0;
  bool reached = false;  // within the tolerance
};

/// A bracket [0, largest] of doses, in which damage grows from 0, is narrowed from both sides. A guess lies where a
/// power law through the ends of the bracket meets the target, since damage grows about as dose^1 (a share of the
/// items) or dose^2 (a shift near a minimum) over many decades; every third halves the bracket in the logarithm, for
/// where damage follows no such law. Never leaves the bracket; a damage that is not finite counts as too much. Where
/// damage is not monotone it finds one of the doses that cost the target.
Dose find_dose(const std::function<double(double dose)>& damage, const DoseSearch& search);

}  // namespace absorb
