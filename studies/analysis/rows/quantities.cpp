#include "studies/analysis/rows/quantities.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace absorb {
namespace {

using BySeed = std::vector<double>;

/// a[i] + factor b[i].
BySeed combined(const BySeed& a, double factor, const BySeed& b) {
  BySeed out;
  for (std::size_t i = 0; i < a.size(); ++i) out.push_back(a[i] + factor * b[i]);
  return out;
}

Quantity where_finite(Quantity::Form form, const std::vector<int64_t>& seeds, const BySeed& first,
                      const BySeed& second) {
  Quantity out;
  out.form = form;
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    if (!std::isfinite(first[i]) || (!second.empty() && !std::isfinite(second[i]))) continue;
    out.seeds.push_back(seeds[i]);
    out.first.push_back(first[i]);
    if (!second.empty()) out.second.push_back(second[i]);
  }
  return out;
}

}  // namespace

Ratio Quantity::ratio() const {
  check(form != Form::mean, "[quantities] a mean is no ratio");
  return form == Form::share ? absorbed_share(first, second) : absorbed_fraction(first, second);
}

std::vector<double> Quantity::by_seed() const {
  if (form == Form::mean) return first;
  return form == Form::share ? absorbed_share_by_seed(first, second) : absorbed_fraction_by_seed(first, second);
}

std::vector<double> Quantity::beyond(double than) const {
  if (form == Form::share) return combined(first, -than, combined(first, 1, second));
  if (form == Form::fraction) return combined(combined(second, -1, first), -than, second);
  BySeed out = first;
  for (double& value : out) value -= than;
  return out;
}

Quantity quantity_of(const ContrastResult& of, const std::string& name) {
  using enum Quantity::Form;
  if (name == "gap") return where_finite(mean, of.seeds, of.differences, {});
  if (name == "V_stable") return where_finite(mean, of.seeds, of.stable_by_seed, {});
  if (name == "S") return where_finite(share, of.seeds, of.stable_by_seed, of.differences);
  if (name == "A") return where_finite(fraction, of.seeds, of.differences, of.reference_by_seed);
  if (name == "R") return where_finite(fraction, of.seeds, of.differences, of.swap_costs);
  if (name == "R_calibrated") return where_finite(fraction, of.seeds, of.differences, of.calibrated_costs);
  check(name == "R_net", "[quantities] no contrast has a `{}`", name);
  return where_finite(fraction, of.seeds, of.differences, combined(of.swap_costs, -1, of.lock_ins));
}

std::map<int64_t, double> numbers_by_seed(const Quantity& quantity) {
  const std::vector<double> values = quantity.by_seed();
  std::map<int64_t, double> out;
  for (std::size_t i = 0; i < values.size(); ++i) out[quantity.seeds[i]] = values[i];
  return out;
}

std::pair<Quantity, Quantity> over_common_seeds(const Quantity& one, const Quantity& other) {
  std::pair<Quantity, Quantity> out;
  out.first.form = one.form;
  out.second.form = other.form;
  const auto copy = [](Quantity& to, const Quantity& from, std::size_t i) {
    to.seeds.push_back(from.seeds[i]);
    to.first.push_back(from.first[i]);
    if (!from.second.empty()) to.second.push_back(from.second[i]);
  };
  for (std::size_t i = 0; i < one.seeds.size(); ++i) {
    const auto twin = std::ranges::find(other.seeds, one.seeds[i]);
    if (twin == other.seeds.end()) continue;
    copy(out.first, one, i);
    copy(out.second, other, static_cast<std::size_t>(twin - other.seeds.begin()));
  }
  return out;
}

}  // namespace absorb
