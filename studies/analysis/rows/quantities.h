// What every quantity of a contrast is made of, by seed: the one place where claims, severities, doses and sample sizes
// get their numbers (docs/science.md section 4).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "statistics/fieller.h"
#include "studies/analysis/analysis.h"

namespace absorb {

/// One quantity of one contrast in nats, element i of `seeds[i]`: these are the seeds that have all of its numbers.
struct Quantity {
  /// Its value: mean(first); mean(first) / mean(first + second); 1 - mean(first) / mean(second).
  enum class Form { mean, share, fraction };
  Form form = Form::mean;
  std::vector<int64_t> seeds;
  std::vector<double> first, second;  // `second` is empty in a mean

  /// The value of a share or a fraction with Fieller's interval. InternalError for a mean.
  Ratio ratio() const;
  /// One number per seed whose mean is the value and whose spread is its to first order; empty where it is undefined.
  std::vector<double> by_seed() const;
  /// One number per seed, in nats, whose mean has the sign of "value - than". Of a ratio it is numerator - than x
  /// denominator, whose t test is Fieller's: it passes where his interval leaves `than` out.
  std::vector<double> beyond(double than) const;
};

/// "gap", "V_stable", "S", "A", "R", "R_calibrated", "R_net" of a contrast. InternalError for another name.
Quantity quantity_of(const ContrastResult& contrast, const std::string& name);
/// Quantity::by_seed() by the seed's number.
std::map<int64_t, double> numbers_by_seed(const Quantity& quantity);
/// Both over the seeds that both have, in one order.
std::pair<Quantity, Quantity> over_common_seeds(const Quantity& one, const Quantity& other);

}  // namespace absorb
