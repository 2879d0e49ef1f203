#include "studies/analysis/rows/absorption.h"

#include <algorithm>
#include <cmath>

#include "core/numbers.h"
#include "studies/analysis/rows/quantities.h"

namespace absorb {
namespace {

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

constexpr const char* no_twin = "the control isn't the treatment's random twin";

/// Of the quantity where it has seeds; else undefined, with why.
Ratio ratio_or(const Quantity& quantity, const char* why_none) {
  return quantity.seeds.empty() ? Ratio{nan, std::nullopt, why_none} : quantity.ratio();
}

/// Swap costs of both arms, R and R_net; over the seeds for which they were evaluated.
void add_costs(ContrastResult& result, const Pairs& pairs) {
  const auto cost_of = [](const char* swap) {
    return [swap](const RunRecord& run) { return deployment_cost(run, swap); };
  };
  result.swap_costs = values_of(pairs.treatment, cost_of("swap"));
  result.calibrated_costs = values_of(pairs.treatment, cost_of("swap_calibrated"));
  result.lock_ins = values_of(pairs.control, cost_of("swap"));
  if (!result.twin) result.lock_ins.assign(result.lock_ins.size(), nan);
  const Quantity raw = quantity_of(result, "R"), calibrated = quantity_of(result, "R_calibrated"),
                 net = quantity_of(result, "R_net");
  result.swap_cost = paired(raw.second);
  result.calibrated_cost = paired(calibrated.second);
  result.content_cost = paired(net.second);
  std::vector<double> lock_ins = result.lock_ins;
  std::erase_if(lock_ins, [](double value) { return !std::isfinite(value); });
  result.lock_in = paired(lock_ins);
  result.absorbed = result.net = result.calibrated = {nan, std::nullopt, no_twin};
  if (!result.twin) return;
  result.absorbed = ratio_or(raw, "no swap was evaluated");
  result.calibrated = ratio_or(calibrated, "no swap was evaluated");
  result.net = ratio_or(net, "no swap was evaluated");
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

/// By seed of the pairs: the third arm's loss minus the control's; NaN where it has no such run.
std::vector<double> beside_control(const Pairs& pairs, const RunGroup* third) {
  std::vector<double> out;
  for (const RunRecord* control : pairs.control) {
    const auto same = [&](const RunRecord* run) { return run->seed == control->seed; };
    const auto found = third == nullptr ? Runs::const_iterator{} : std::ranges::find_if(third->done, same);
    const bool there = third != nullptr && found != third->done.end() && std::isfinite((*found)->val_loss);
    out.push_back(there ? (*found)->val_loss - control->val_loss : nan);
  }
  return out;
}

/// V_stable and S, where the contrast names a redrawn arm; A, where it names one that keeps everything.
void add_shares(ContrastResult& result, const Pairs& pairs, const ThirdArms& third) {
  result.stable_by_seed = beside_control(pairs, third.redrawn);
  result.stable = paired(quantity_of(result, "V_stable").first);
  result.share = result.redrawn.empty() ? Ratio{nan, std::nullopt, "no redrawn arm"} : quantity_of(result, "S").ratio();
  result.reference_by_seed = beside_control(pairs, third.always);
  for (double& reference : result.reference_by_seed) reference = -reference;
  result.index = result.always.empty() ? Ratio{nan, std::nullopt, "no arm `always`"} : quantity_of(result, "A").ratio();
}

/// Whether the treatment's losses under a swap lie above chance, on average over the seeds that are better than chance
/// without.
bool swapped_below_chance(const Pairs& pairs) {
  double beyond = 0;
  for (const RunRecord* run : pairs.treatment)
    if (const double swapped = evaluation(*run, "swap"); std::isfinite(swapped) && run->val_loss < run->chance)
      beyond += swapped - run->chance;
  return beyond > 0;
}

/// Whether routing.frozen is true for a kind of routing ("attention", "moe"); what is said of a kind is laid on last.
bool is_frozen(const Settings& tables, const std::string& kind) {
  const Json routing = tables.value().value("routing", Json::object());
  return routing.value(kind, Json::object()).value("frozen", routing.value("frozen", false));
}

/// What the study says of all arms, with what it says of this one.
Settings tables_of(const Study& study, const ArmSpec& arm) {
  Settings tables = study.base;
  tables.merge(arm.overrides);
  return tables;
}

}  // namespace

bool is_twin(const Study& study, const std::string& treatment, const std::string& control, const std::string& target) {
  const auto arm = [&](const std::string& name) {
    return std::ranges::find_if(study.arms, [&](const ArmSpec& each) { return each.name == name; });
  };
  const auto one = arm(treatment), other = arm(control);
  if (one == study.arms.end() || other == study.arms.end()) return false;  // dense
  const Settings with = tables_of(study, *one), without = tables_of(study, *other);
  if (one->from != other->from || without_freezing(with.value()) != without_freezing(without.value())) return false;
  for (const char* kind : {"attention", "moe"})
    if ((target == kind || target == "both") && (is_frozen(with, kind) || !is_frozen(without, kind))) return false;
  return true;
}

void add_absorption(ContrastResult& result, const Pairs& pairs, const ThirdArms& third) {
  add_shares(result, pairs, third);
  add_costs(result, pairs);
  result.swapped_below_chance = swapped_below_chance(pairs);
  result.untreated =
      std::ranges::any_of(pairs.treatment, [](const RunRecord* run) { return never_had_gradient(*run); });
  if (result.untreated)
    result.absorbed = result.net = result.calibrated = result.share = result.index = {nan, std::nullopt, why_untreated};
}

void without_absorption(ContrastResult& result) {
  result.absorbed = result.net = result.calibrated = result.share =
      result.index = {nan, std::nullopt, "the losses are those of a deployment"};
  result.swap_costs.assign(result.differences.size(), nan);
  result.calibrated_costs = result.lock_ins = result.swap_costs;
  result.stable_by_seed.assign(result.differences.size(), nan);
  result.reference_by_seed.assign(result.differences.size(), nan);
  result.swap_cost = result.calibrated_cost = result.lock_in = result.content_cost = result.stable = paired({});
}

}  // namespace absorb
