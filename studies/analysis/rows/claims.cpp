#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "core/numbers.h"
#include "statistics/power.h"
#include "statistics/verdict.h"
#include "studies/analysis/rows/quantities.h"
#include "studies/analysis/rows/rows.h"

namespace absorb {
namespace {

/// What a claim is about, read off the row that it names.
struct Estimate {
  int64_t n = 0;
  double value = nan, found = nan;
  std::optional<Interval> ci95;
  std::function<std::vector<double>(double than)> beyond;  // as Quantity's
  bool planted = false;
  std::string missing;  // why there is none
};

Estimate of_numbers(const std::vector<double>& by_seed, double found) {
  const Paired test = paired(by_seed);
  Quantity mean;
  mean.first = by_seed;
  return {test.n, test.mean, found, test.ci95, [mean](double than) { return mean.beyond(than); }, false, ""};
}

Estimate in_target(const ContrastResult& row, const std::string& name) {
  const Quantity quantity = quantity_of(row, name);
  if (quantity.form == Quantity::Form::mean)
    return of_numbers(quantity.first, name == "gap" ? row.smallest_found : nan);
  const Ratio& ratio = name == "S" ? row.share : name == "A" ? row.index : name == "R" ? row.absorbed : row.net;
  return {static_cast<int64_t>(quantity.seeds.size()),
          ratio.value,
          nan,
          ratio.ci,
          [quantity](double than) { return quantity.beyond(than); },
          false,
          ratio.why_undefined};
}

Estimate between_targets(const SeverityResult& row) {
  Estimate out = of_numbers(row.by_seed, row.smallest_found);
  out.n = row.n;
  out.value = row.mean;
  out.ci95 = row.ci95;
  out.missing = std::isnan(row.mean) ? "undefined in one target" : "";
  return out;
}

/// first - other over the seeds of both.
std::map<int64_t, double> less(const std::map<int64_t, double>& first, const std::map<int64_t, double>& other) {
  std::map<int64_t, double> out;
  for (const auto& [seed, value] : first)
    if (const auto found = other.find(seed); found != other.end()) out[seed] = value - found->second;
  return out;
}

/// The claim's quantity of one contrast: in its target, or attention's less MoE's (of gaps MoE's less attention's).
std::map<int64_t, double> numbers_of(const ClaimSpec& claim, const std::string& contrast,
                                     const StudyAnalysis& analysis) {
  std::map<std::string, std::map<int64_t, double>> by_target;
  for (const ContrastResult& row : analysis.contrasts)
    if (row.name == contrast && cell_label(row.cell) == claim.cell)
      by_target[row.target] = numbers_by_seed(quantity_of(row, claim.quantity));
  if (claim.where != "severity") return by_target[claim.where];
  return claim.quantity == "gap" ? less(by_target["moe"], by_target["attention"])
                                 : less(by_target["attention"], by_target["moe"]);
}

/// Of the difference between two contrasts.
Estimate between_contrasts(const ClaimSpec& claim, const StudyAnalysis& analysis) {
  std::vector<double> by_seed;
  for (const auto& [seed, value] :
       less(numbers_of(claim, claim.contrast, analysis), numbers_of(claim, claim.minus, analysis)))
    by_seed.push_back(value);
  Estimate out = of_numbers(by_seed, smallest_found(summarize(by_seed).sd, static_cast<int64_t>(by_seed.size())));
  if (by_seed.empty()) out.missing = "one of the rows isn't there, or undefined";
  return out;
}

/// Of the row that the claim names.
Estimate of_row(const ClaimSpec& claim, const StudyAnalysis& analysis) {
  const auto same = [&](const auto& row, const std::string& contrast) {
    return contrast == claim.contrast && cell_label(row.cell) == claim.cell;
  };
  Estimate found;
  found.missing = "no such row is there yet";
  if (claim.where == "severity") {
    const std::string quantity = claim.quantity == "V_stable" ? "stable" : claim.quantity;
    for (const SeverityResult& row : analysis.severity)
      if (row.between == "attention - moe" && row.quantity == quantity && same(row, row.contrast))
        found = between_targets(row);
  } else {
    for (const ContrastResult& row : analysis.contrasts)
      if (row.target == claim.where && same(row, row.name)) found = in_target(row, claim.quantity);
  }
  return found;
}

Estimate estimate(const ClaimSpec& claim, const StudyAnalysis& analysis) {
  Estimate found = claim.minus.empty() ? of_row(claim, analysis) : between_contrasts(claim, analysis);
  const auto planted = std::ranges::find(analysis.contrasts, claim.contrast, &ContrastResult::name);
  found.planted = planted != analysis.contrasts.end() && planted->positive_control;
  return found;
}

/// Supported where the 95 % interval lies on the claimed side, contradicted where it lies on the other; a tie is
/// supported within the margin and contradicted beyond it. In a plan in stages the same tests at the look's level.
std::string judge(const Study& study, const ClaimSpec& claim, const Estimate& of) {
  if (!of.missing.empty()) return "undecided (" + of.missing + ")";
  if (of.n < (of.planted ? positive_control_n : verdict_n)) return "undecided (n)";
  if (!of.ci95) return "undecided (interval unbounded)";
  const auto side = [&](double than) {  // 1 above, -1 below, 0 neither
    const Paired test = paired(of.beyond(than));
    const bool passes = judged_p(study, test.p_t, StagedTest::t, test.n) < 0.05;
    return passes ? (test.mean > 0) - (test.mean < 0) : 0;
  };
  if (claim.direction == "tie") {
    const int low = side(claim.than - claim.margin), high = side(claim.than + claim.margin);
    if (low > 0 && high < 0) return "supported";
    return low < 0 || high > 0 ? "contradicted" : "undecided";
  }
  const int found = side(claim.than) * (claim.direction == "above" ? 1 : -1);
  return found > 0 ? "supported" : found < 0 ? "contradicted" : "undecided";
}

}  // namespace

std::vector<ClaimResult> make_claims(const Study& study, const StudyAnalysis& analysis,
                                     const std::vector<std::string>& locked) {
  std::vector<ClaimResult> results;
  for (const ClaimSpec& claim : study.claims) {
    const Estimate of = estimate(claim, analysis);
    results.push_back({claim, of.n, of.value, of.ci95, of.found, judge(study, claim, of),
                       std::ranges::find(locked, claim.says) == locked.end()});
  }
  return results;
}

}  // namespace absorb
