#include <algorithm>
#include <cmath>

#include "core/numbers.h"
#include "statistics/documents.h"
#include "statistics/holm.h"
#include "statistics/power.h"
#include "statistics/verdict.h"
#include "studies/analysis/rows/absorption.h"
#include "studies/analysis/rows/document_pairs.h"
#include "studies/analysis/rows/rows.h"

namespace absorb {
namespace {

/// Valid loss under the deployment that a contrast names; the dense arm has none, and stands as it was trained.
double loss_under(const RunRecord& run, const std::string& deployment) {
  return deployment.empty() || run.target == "dense" ? run.val_loss : evaluation(run, deployment);
}

Pairs pair_by_seed(const RunGroup& treatment, const RunGroup& control, const std::string& deployment) {
  Pairs pairs;
  for (const RunRecord* run : treatment.done) {
    const auto twin = std::find_if(control.done.begin(), control.done.end(), [&](const RunRecord* other) {
      return other->seed == run->seed && std::isfinite(loss_under(*other, deployment));
    });
    if (twin == control.done.end() || !std::isfinite(loss_under(*run, deployment))) continue;
    pairs.treatment.push_back(run);
    pairs.control.push_back(*twin);
  }
  return pairs;
}

/// Absent unless every run of the pairs read the same documents.
std::optional<Interval> over_documents(const Pairs& pairs) {
  std::vector<std::vector<double>> by_seed;
  std::vector<double> tokens;
  for (size_t seed = 0; seed < pairs.treatment.size(); ++seed) {
    if (!same_documents(*pairs.treatment.front(), *pairs.treatment[seed])) return std::nullopt;
    auto pair = document_differences(*pairs.treatment[seed], *pairs.control[seed]);
    if (!pair) return std::nullopt;
    tokens = std::move(pair->tokens);
    by_seed.push_back(std::move(pair->nats));
  }
  return by_seed.empty() ? std::nullopt : document_interval(by_seed, tokens).ci95;
}

ContrastResult blank(const ContrastSpec& spec, const RunGroup& place) {
  ContrastResult result;
  result.name = spec.name;
  result.target = place.target;
  result.treatment = spec.treatment;
  result.control = spec.control;
  result.cell = place.cell;
  result.deployment = spec.deployment;
  result.primary = spec.primary;
  result.positive_control = spec.positive_control;
  result.margin_nats = spec.margin_nats;
  result.holm_p = result.holm_p_tost = nan;
  return result;
}

ContrastResult one_contrast(const Study& study, const ContrastSpec& spec, const RunGroup& place,
                            const RunGroup& treatment, const RunGroup& control, const ThirdArms& third) {
  const Pairs pairs = pair_by_seed(treatment, control, spec.deployment);
  const auto loss = [&](const RunRecord& run) { return loss_under(run, spec.deployment); };
  const std::vector<double> with = values_of(pairs.treatment, loss), without = values_of(pairs.control, loss);
  ContrastResult result = blank(spec, place);
  for (const RunRecord* run : pairs.treatment) result.seeds.push_back(run->seed);
  result.differences = differences(without, with);
  result.paired = paired(result.differences);
  result.p_tost = spec.margin_nats > 0 ? tost(result.differences, spec.margin_nats).p : nan;
  result.variance_ratio = variance_ratio(with, without);
  result.smallest_found = smallest_found(result.paired.sd, result.paired.n);
  if (!spec.deployment.empty()) {  // a swap costs something against the native loss alone
    without_absorption(result);
    return result;
  }
  result.twin = is_twin(study, spec.treatment, spec.control, place.target);
  result.redrawn = spec.redrawn;
  result.always = spec.always;
  result.ci95_documents = over_documents(pairs);
  add_absorption(result, pairs, third);
  return result;
}

bool in_family(const ContrastResult& result) {
  return result.primary && !result.exploratory && !result.untreated;
}

/// Holm over every primary contrast x target x cell, once for the t tests and once for the equivalence tests.
void adjust(const Study& study, std::vector<ContrastResult>& results) {
  std::vector<double> p_t, p_tost;
  for (const ContrastResult& result : results) {
    if (!in_family(result)) continue;
    p_t.push_back(judged_p(study, result.paired.p_t, StagedTest::t, result.paired.n));
    p_tost.push_back(judged_p(study, result.p_tost, StagedTest::tost, result.paired.n));
  }
  const std::vector<double> holm_t = holm(p_t), holm_tost = holm(p_tost);
  size_t member = 0;
  for (ContrastResult& result : results) {
    if (!in_family(result)) continue;
    result.holm_p = holm_t[member];
    result.holm_p_tost = holm_tost[member++];
  }
}

std::string judge(const Study& study, const ContrastResult& result, const std::vector<Concentration>& concentration) {
  if (result.untreated) return no_treatment;
  Evidence evidence{result.paired.n, result.paired.mean, result.holm_p, result.holm_p_tost, result.positive_control};
  if (!in_family(result)) {
    evidence.p_t = judged_p(study, result.paired.p_t, StagedTest::t, evidence.n);
    evidence.p_tost = judged_p(study, result.p_tost, StagedTest::tost, evidence.n);
  }
  const std::string word(name(verdict(evidence)));
  // A planted control shows by itself that masks matter: its dense arm may well attend to everything.
  if (result.target != "attention" || result.positive_control) return word;
  return with_masks(word, masks_in(concentration, result.cell));
}

}  // namespace

Masks masks_in(const std::vector<Concentration>& concentration, const Cell& cell) {
  const Concentration* found = nullptr;
  for (const Concentration& line : concentration)
    if (line.cell == cell || (line.cell.empty() && found == nullptr)) found = &line;
  return found == nullptr ? Masks::untested : found->masks;
}

std::string with_masks(const std::string& verdict, Masks masks) {
  if (masks == Masks::matter || verdict.starts_with("undecided")) return verdict;
  switch (masks) {
    case Masks::do_not_matter:
      return "undecided (masks do not matter here)";
    case Masks::cannot_be_said:
      return "undecided (it can't be said whether masks matter)";
    default:
      return "undecided (no dense arm says whether masks matter)";
  }
}

std::string name(Masks masks) {
  switch (masks) {
    case Masks::matter:
      return "matter";
    case Masks::do_not_matter:
      return "do not matter";
    case Masks::cannot_be_said:
      return "can't be said";
    default:
      return "untested";
  }
}

std::vector<ContrastResult> make_contrasts(const Study& study, const std::vector<RunGroup>& groups,
                                           const std::vector<std::string>& locked,
                                           const std::vector<Concentration>& concentration) {
  std::vector<ContrastResult> results;
  for (const ContrastSpec& spec : study.contrasts) {
    for (const RunGroup* place : places_of(groups)) {
      const RunGroup* treatment = arm_at(groups, spec.treatment, *place);
      const RunGroup* control = arm_at(groups, spec.control, *place);
      if (treatment == nullptr || control == nullptr) continue;
      const auto third = [&](const std::string& arm) { return arm.empty() ? nullptr : arm_at(groups, arm, *place); };
      results.push_back(
          one_contrast(study, spec, *place, *treatment, *control, {third(spec.redrawn), third(spec.always)}));
      results.back().exploratory = std::find(locked.begin(), locked.end(), spec.name) == locked.end();
    }
  }
  adjust(study, results);
  for (ContrastResult& result : results) result.verdict = judge(study, result, concentration);
  return results;
}

}  // namespace absorb
