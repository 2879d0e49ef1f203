#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "core/numbers.h"
#include "statistics/power.h"
#include "statistics/verdict.h"
#include "studies/analysis/rows/rows.h"

namespace absorb {
namespace {

using BySeed = std::vector<double>;

/// What a claim is about, read off the row that it names.
struct Estimate {
  int64_t n = 0;
  double value = nan, found = nan;
  std::optional<Interval> ci95;
  /// One number per seed whose mean has the sign of "value - than". Of a ratio it is numerator - than denominator,
  /// whose t test is Fieller's: it passes where his interval leaves `than` out.
  std::function<BySeed(double than)> beyond;
  bool planted = false;
  std::string missing;  // why there is none
};

BySeed less(const BySeed& numerator, double than, const BySeed& denominator) {
  BySeed out;
  for (std::size_t i = 0; i < numerator.size(); ++i)
    if (std::isfinite(numerator[i]) && std::isfinite(denominator[i]))
      out.push_back(numerator[i] - than * denominator[i]);
  return out;
}

Estimate of_paired(const BySeed& by_seed, const Paired& paired, double found) {
  return {paired.n,
          paired.mean,
          found,
          paired.ci95,
          [by_seed](double than) { return less(by_seed, than, BySeed(by_seed.size(), 1.0)); },
          false,
          ""};
}

Estimate of_ratio(const Ratio& ratio, int64_t n, const BySeed& numerator, const BySeed& denominator) {
  return {n,     ratio.value,        nan, ratio.ci, [=](double than) { return less(numerator, than, denominator); },
          false, ratio.why_undefined};
}

BySeed combined(const BySeed& a, double sign, const BySeed& b) {
  BySeed out;
  for (std::size_t i = 0; i < a.size(); ++i) out.push_back(a[i] + sign * b[i]);
  return out;
}

Estimate in_target(const ContrastResult& row, const std::string& quantity) {
  if (quantity == "gap") return of_paired(row.differences, row.paired, row.smallest_found);
  if (quantity == "V_stable") return of_paired(row.stable_by_seed, row.stable, nan);
  if (quantity == "S")
    return of_ratio(row.share, row.stable.n, row.stable_by_seed, combined(row.stable_by_seed, 1, row.differences));
  if (quantity == "A") {
    const BySeed gap = row.differences, reference = row.reference_by_seed;
    const auto n = std::ranges::count_if(reference, [](double value) { return std::isfinite(value); });
    return of_ratio(row.index, n, combined(reference, -1, gap), reference);
  }
  if (quantity == "R")
    return of_ratio(row.absorbed, row.swap_cost.n, combined(row.swap_costs, -1, row.differences), row.swap_costs);
  const BySeed content = combined(row.swap_costs, -1, row.lock_ins);
  return of_ratio(row.net, row.content_cost.n, combined(content, -1, row.differences), content);
}

Estimate between_targets(const SeverityResult& row) {
  Estimate out = of_paired(row.by_seed, {}, row.smallest_found);
  out.n = row.n;
  out.value = row.mean;
  out.ci95 = row.ci95;
  out.missing = std::isnan(row.mean) ? "undefined in one target" : "";
  return out;
}

/// One number per seed whose mean is the quantity: for ratios the delta method's (statistics/fieller.h).
std::map<int64_t, double> numbers(const ContrastResult& row, const std::string& quantity) {
  const BySeed ones(row.differences.size(), 1.0), content = combined(row.swap_costs, -1, row.lock_ins);
  const BySeed& first = quantity == "S" || quantity == "V_stable" ? row.stable_by_seed : row.differences;
  const BySeed& second = quantity == "S"       ? row.differences
                         : quantity == "R"     ? row.swap_costs
                         : quantity == "R_net" ? content
                         : quantity == "A"     ? row.reference_by_seed
                                               : ones;
  BySeed one, other;
  std::vector<int64_t> seeds;
  for (std::size_t i = 0; i < row.seeds.size(); ++i) {
    if (!std::isfinite(first[i]) || !std::isfinite(second[i])) continue;
    seeds.push_back(row.seeds[i]);
    one.push_back(first[i]);
    other.push_back(second[i]);
  }
  const BySeed values = quantity == "gap" || quantity == "V_stable" ? one
                        : quantity == "S"                           ? absorbed_share_by_seed(one, other)
                                                                    : absorbed_fraction_by_seed(one, other);
  std::map<int64_t, double> out;
  for (std::size_t i = 0; i < values.size(); ++i) out[seeds[i]] = values[i];
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
      by_target[row.target] = numbers(row, claim.quantity);
  if (claim.where != "severity") return by_target[claim.where];
  return claim.quantity == "gap" ? less(by_target["moe"], by_target["attention"])
                                 : less(by_target["attention"], by_target["moe"]);
}

/// Of the difference between two contrasts.
Estimate between_contrasts(const ClaimSpec& claim, const StudyAnalysis& analysis) {
  BySeed by_seed;
  for (const auto& [seed, value] :
       less(numbers_of(claim, claim.contrast, analysis), numbers_of(claim, claim.minus, analysis)))
    by_seed.push_back(value);
  const Paired test = paired(by_seed);
  Estimate out = of_paired(by_seed, test, smallest_found(test.sd, test.n));
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
