#include <algorithm>
#include <cmath>

#include "core/numbers.h"
#include "statistics/documents.h"
#include "statistics/holm.h"
#include "statistics/power.h"
#include "statistics/verdict.h"
#include "studies/analysis/analysis_parts.h"
#include "studies/analysis/document_pairs.h"

namespace absorb {
namespace {

using Runs = std::vector<const RunRecord*>;

struct Pairs {
  Runs treatment, control;  // element i of both from the same seed
};

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

/// Whether a run has parameters of routers that train and never had a gradient: what moved them was weight decay.
bool never_had_gradient(const RunRecord& run) {
  bool seen = false;
  for (const AccountPoint& account : run.accounts)
    for (const char* part : {"grad_norm/attention_router", "grad_norm/expert_router"})
      if (const auto norm = account.values.find(part); norm != account.values.end()) {
        if (norm->second != 0) return false;
        seen = true;
      }
  return seen;
}

constexpr const char* why_untreated =
    "the treatment's router never had a gradient: its weights don't depend on its scores; set another selection.weight "
    "or selection.gradient, or a routing loss";

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

constexpr const char* no_twin = "the control isn't the treatment's random twin";

/// Swap costs of both arms, R and R_net; over the seeds for which they were evaluated.
void add_absorption(ContrastResult& result, const Pairs& pairs) {
  const auto cost_of = [](const RunRecord& run) { return deployment_cost(run, "swap"); };
  result.swap_costs = values_of(pairs.treatment, cost_of);
  const std::vector<double> locked = values_of(pairs.control, cost_of);
  std::vector<double> gap, cost, net_gap, lock_in, content;
  for (size_t i = 0; i < result.swap_costs.size(); ++i) {
    if (std::isnan(result.swap_costs[i])) continue;
    gap.push_back(result.differences[i]);
    cost.push_back(result.swap_costs[i]);
    if (!result.twin || std::isnan(locked[i])) continue;
    net_gap.push_back(result.differences[i]);
    lock_in.push_back(locked[i]);
    content.push_back(result.swap_costs[i] - locked[i]);
  }
  result.swap_cost = paired(cost);
  result.lock_in = paired(lock_in);
  result.content_cost = paired(content);
  result.absorbed = result.net = {nan, std::nullopt, result.twin ? "no swap was evaluated" : no_twin};
  if (result.twin && !cost.empty()) result.absorbed = absorbed_fraction(gap, cost);
  if (!content.empty()) result.net = absorbed_fraction(net_gap, content);
}

/// What an arm says, without the words in which twins may differ.
Json without_freezing(const Json& overrides) {
  Json out = Json::object();
  for (const auto& [key, value] : overrides.items()) {
    if (key == "frozen" || key == "losses" || key == "draw" || key == "detach_input") continue;
    if (value.is_object()) {
      if (const Json inner = without_freezing(value); !inner.empty()) out[key] = inner;
    } else {
      out[key] = value;
    }
  }
  return out;
}

/// Whether routing.frozen is true for a kind of routing ("attention", "moe").
bool is_frozen(const Settings& overrides, const std::string& kind) {
  const Json routing = overrides.value().value("routing", Json::object());
  return routing.value(kind, Json::object()).value("frozen", routing.value("frozen", false));
}

bool is_twin(const Study& study, const std::string& treatment, const std::string& control, const std::string& target) {
  const auto arm = [&](const std::string& name) {
    return std::ranges::find_if(study.arms, [&](const ArmSpec& each) { return each.name == name; });
  };
  const auto one = arm(treatment), other = arm(control);
  if (one == study.arms.end() || other == study.arms.end()) return false;  // dense
  if (one->from != other->from ||
      without_freezing(one->overrides.value()) != without_freezing(other->overrides.value()))
    return false;
  for (const char* kind : {"attention", "moe"})
    if ((target == kind || target == "both") && (is_frozen(one->overrides, kind) || !is_frozen(other->overrides, kind)))
      return false;
  return true;
}

/// V_stable and S, where the contrast names a redrawn arm.
void add_share(ContrastResult& result, const Pairs& pairs, const RunGroup* redrawn) {
  std::vector<double> stable, content;
  for (size_t i = 0; i < pairs.control.size(); ++i) {
    const auto same = [&](const RunRecord* run) { return run->seed == pairs.control[i]->seed; };
    const auto third = redrawn == nullptr ? Runs::const_iterator{} : std::ranges::find_if(redrawn->done, same);
    const bool there = redrawn != nullptr && third != redrawn->done.end() && std::isfinite((*third)->val_loss);
    result.stable_by_seed.push_back(there ? (*third)->val_loss - pairs.control[i]->val_loss : nan);
    if (!there) continue;
    stable.push_back(result.stable_by_seed.back());
    content.push_back(result.differences[i]);
  }
  result.stable = paired(stable);
  result.share = result.redrawn.empty() ? Ratio{nan, std::nullopt, "no redrawn arm"} : absorbed_share(stable, content);
}

/// One group for every target (but dense) and cell: where contrasts are made.
std::vector<const RunGroup*> places_of(const std::vector<RunGroup>& groups) {
  std::vector<const RunGroup*> places;
  for (const RunGroup& group : groups) {
    const auto same = [&group](const RunGroup* p) { return p->target == group.target && p->cell == group.cell; };
    if (group.target != "dense" && std::none_of(places.begin(), places.end(), same)) places.push_back(&group);
  }
  return places;
}

/// The arm there; the dense arm stands beside every target, and beside every cell where no axis touches it.
const RunGroup* arm_at(const std::vector<RunGroup>& groups, const std::string& arm, const RunGroup& place) {
  if (arm != "dense") return find_group(groups, arm, place.target, place.cell);
  const RunGroup* dense = find_group(groups, arm, "dense", place.cell);
  return dense != nullptr ? dense : find_group(groups, arm, "dense", {});
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
                            const RunGroup& treatment, const RunGroup& control, const RunGroup* redrawn) {
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
    result.swap_costs.assign(result.differences.size(), nan);
    result.swap_cost = paired({});
    result.absorbed = result.net = result.share = {nan, std::nullopt, "the losses are those of a deployment"};
    result.lock_in = result.content_cost = paired({});
    result.stable_by_seed.assign(result.differences.size(), nan);
    result.stable = paired({});
    return result;
  }
  result.twin = is_twin(study, spec.treatment, spec.control, place.target);
  result.redrawn = spec.redrawn;
  add_share(result, pairs, redrawn);
  result.ci95_documents = over_documents(pairs);
  add_absorption(result, pairs);
  result.untreated =
      std::ranges::any_of(pairs.treatment, [](const RunRecord* run) { return never_had_gradient(*run); });
  if (result.untreated) result.absorbed = result.net = result.share = {nan, std::nullopt, why_untreated};
  return result;
}

bool in_family(const ContrastResult& result) {
  return result.primary && !result.exploratory && !result.untreated;
}

/// Holm over every primary contrast x target x cell, once for the t tests and once for the equivalence tests.
void adjust(std::vector<ContrastResult>& results) {
  std::vector<double> p_t, p_tost;
  for (const ContrastResult& result : results) {
    if (!in_family(result)) continue;
    p_t.push_back(result.paired.p_t);
    p_tost.push_back(result.p_tost);
  }
  const std::vector<double> holm_t = holm(p_t), holm_tost = holm(p_tost);
  size_t member = 0;
  for (ContrastResult& result : results) {
    if (!in_family(result)) continue;
    result.holm_p = holm_t[member];
    result.holm_p_tost = holm_tost[member++];
  }
}

std::string judge(const ContrastResult& result, const std::vector<Concentration>& concentration) {
  const bool family = in_family(result);
  if (result.untreated) return no_treatment;
  const std::string word(name(verdict({result.paired.n, result.paired.mean, family ? result.holm_p : result.paired.p_t,
                                       family ? result.holm_p_tost : result.p_tost, result.positive_control})));
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
      const RunGroup* redrawn = spec.redrawn.empty() ? nullptr : arm_at(groups, spec.redrawn, *place);
      results.push_back(one_contrast(study, spec, *place, *treatment, *control, redrawn));
      results.back().exploratory = std::find(locked.begin(), locked.end(), spec.name) == locked.end();
    }
  }
  adjust(results);
  for (ContrastResult& result : results) result.verdict = judge(result, concentration);
  return results;
}

}  // namespace absorb
