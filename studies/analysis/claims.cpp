#include <algorithm>
#include <cmath>

#include "core/numbers.h"
#include "statistics/verdict.h"
#include "studies/analysis/analysis_parts.h"

namespace absorb {
namespace {

/// What a claim is about, read off the row that it names.
struct Estimate {
  int64_t n = 0;
  double value = nan, found = nan;
  std::optional<Interval> ci95;
  bool planted = false;
  std::string missing;  // why there is none
};

Estimate of_paired(const Paired& paired, double found) {
  return {paired.n, paired.mean, found, paired.ci95, false, ""};
}

Estimate of_ratio(const Ratio& ratio, int64_t n) {
  return {n, ratio.value, nan, ratio.ci, false, ratio.why_undefined};
}

Estimate in_target(const ContrastResult& row, const std::string& quantity) {
  if (quantity == "gap") return of_paired(row.paired, row.smallest_found);
  if (quantity == "V_stable") return of_paired(row.stable, nan);
  if (quantity == "S") return of_ratio(row.share, row.stable.n);
  if (quantity == "R") return of_ratio(row.absorbed, row.swap_cost.n);
  return of_ratio(row.net, row.content_cost.n);
}

Estimate between_targets(const SeverityResult& row) {
  return {row.n, row.mean, row.smallest_found, row.ci95, false, std::isnan(row.mean) ? "undefined in one target" : ""};
}

Estimate estimate(const ClaimSpec& claim, const StudyAnalysis& analysis) {
  const auto same = [&](const auto& row, const std::string& contrast) {
    return contrast == claim.contrast && cell_label(row.cell) == claim.cell;
  };
  const auto planted = std::ranges::find(analysis.contrasts, claim.contrast, &ContrastResult::name);
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
  found.planted = planted != analysis.contrasts.end() && planted->positive_control;
  return found;
}

/// Supported where the whole 95 % interval lies on the claimed side, contradicted where it lies on the other; a tie is
/// supported within the margin and contradicted beyond it.
std::string judge(const ClaimSpec& claim, const Estimate& of) {
  if (!of.missing.empty()) return "undecided (" + of.missing + ")";
  if (of.n < (of.planted ? positive_control_n : verdict_n)) return "undecided (n)";
  if (!of.ci95) return "undecided (interval unbounded)";
  const double low = of.ci95->low - claim.than, high = of.ci95->high - claim.than;
  if (claim.direction == "tie") {
    if (low > -claim.margin && high < claim.margin) return "supported";
    return low > claim.margin || high < -claim.margin ? "contradicted" : "undecided";
  }
  const bool above = low > 0, below = high < 0;
  if (claim.direction == "above") return above ? "supported" : below ? "contradicted" : "undecided";
  return below ? "supported" : above ? "contradicted" : "undecided";
}

}  // namespace

std::vector<ClaimResult> make_claims(const Study& study, const StudyAnalysis& analysis,
                                     const std::vector<std::string>& locked) {
  std::vector<ClaimResult> results;
  for (const ClaimSpec& claim : study.claims) {
    const Estimate of = estimate(claim, analysis);
    results.push_back({claim, of.n, of.value, of.ci95, of.found, judge(claim, of),
                       std::ranges::find(locked, claim.says) == locked.end()});
  }
  return results;
}

}  // namespace absorb
