// What the tests of measure_recovery() have in common.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "compensation/measures/recovery_measure.h"
#include "tests/compensation/linear_subject.h"

namespace absorb {

inline CompensationSettings settings_of(std::vector<int64_t> steps, std::vector<int64_t> dimensions) {
  CompensationSettings settings;
  settings.steps = std::move(steps);
  settings.dimensions = std::move(dimensions);
  settings.draws = 2;
  settings.damage = 1;
  settings.sequences = 8;
  return settings;
}

inline MeasureContext layer(int64_t layer) {
  MeasureContext context;
  context.layers = {layer};
  return context;
}

inline RecoveryResult recovery_of_layer(LinearSubject& subject, const CompensationSettings& settings, int64_t l) {
  return recovery_results(measure_recovery(subject, settings, layer(l))).at(0);
}

inline const Recovery& recovery(const CapacityResult& capacity, const std::string& group) {
  for (const Recovery& one : capacity.groups)
    if (one.group.name == group) return one;
  throw std::runtime_error("no group " + group);
}

}  // namespace absorb
