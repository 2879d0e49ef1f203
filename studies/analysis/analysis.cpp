#include "studies/analysis/analysis.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "studies/analysis/rows/rows.h"

namespace absorb {
namespace {

/// Mean over the values that exist; NaN without any.
double mean_of(const std::vector<double>& values) {
  std::vector<double> finite;
  std::copy_if(values.begin(), values.end(), std::back_inserter(finite), [](double v) { return std::isfinite(v); });
  return summarize(finite).mean;
}

double density(const RunRecord& run) {
  std::vector<double> sites;
  for (const SiteHealth& site : run.health) sites.push_back(site.density);
  return mean_of(sites);
}

ArmSummary summarize_arm(const RunGroup& group) {
  const auto losses = values_of(group.done, [](const RunRecord& run) { return run.val_loss; });
  const auto mean = [&group](auto value) { return mean_of(values_of(group.done, value)); };
  const Summary loss = summarize(losses);
  ArmSummary arm;
  arm.arm = group.arm;
  arm.target = group.target;
  arm.cell = group.cell;
  arm.n = loss.n;
  arm.failed = group.failed;
  arm.loss_mean = loss.mean;
  arm.loss_sd = loss.sd;
  arm.ci95 = t_interval(loss);
  arm.swap_cost_mean = mean([](const RunRecord& run) { return deployment_cost(run, "swap"); });
  arm.parameters = group.done.empty() ? 0 : group.done.front()->parameters.unique;
  arm.flops_per_token = mean([](const RunRecord& run) { return run.flops_per_token; });
  arm.density = mean(density);
  arm.displacement = mean([](const RunRecord& run) { return run.router_displacement; });
  arm.tokens_per_sec = mean([](const RunRecord& run) { return run.tokens_per_sec; });
  return arm;
}

template <class F>
Summary summarize_finite(const RunGroup& group, F value) {
  std::vector<double> finite;
  for (double v : values_of(group.done, value))
    if (std::isfinite(v)) finite.push_back(v);
  return summarize(finite);
}

Concentration concentrate(const RunGroup& dense) {
  Concentration line;
  line.k = dense.done.empty() ? 0 : dense.done.front()->top_k;
  line.cell = dense.cell;
  line.mass = summarize_finite(dense, [](const RunRecord& run) { return run.mass_top_k; });
  line.uniform_mass = summarize_finite(dense, [](const RunRecord& run) { return run.mass_uniform; });
  line.oracle_cost = summarize_finite(dense, [](const RunRecord& run) { return deployment_cost(run, "oracle_top_k"); });
  line.random_cost = summarize_finite(dense, [](const RunRecord& run) { return deployment_cost(run, "random_top_k"); });
  std::vector<double> excess;
  for (const RunRecord* run : dense.done)
    if (const double more = deployment_cost(*run, "random_top_k") - deployment_cost(*run, "oracle_top_k");
        std::isfinite(more))
      excess.push_back(more);
  line.excess = paired(excess);
  line.masks = masks_worth(line.excess);
  return line;
}

StudyAnalysis analyse_once(const Study& study, const std::vector<RunRecord>& records,
                           const std::vector<std::string>& locked, const std::optional<TwoByTwo>& both,
                           const std::vector<std::string>& locked_claims) {
  const std::vector<RunGroup> groups = group_runs(study, records);
  StudyAnalysis analysis;
  for (const RunGroup& group : groups) {
    analysis.arms.push_back(summarize_arm(group));
    if (group.target == "dense") analysis.concentration.push_back(concentrate(group));
  }
  analysis.contrasts = make_contrasts(study, groups, locked, analysis.concentration);
  analysis.deployments = summarise_deployments(groups);
  analysis.doses = make_doses(study, groups, analysis.contrasts);
  analysis.severity = make_severity(study, groups, analysis, both);
  analysis.claims = make_claims(study, analysis, locked_claims);
  return analysis;
}

}  // namespace

Masks masks_worth(const Paired& worth) {
  if (!worth.ci95) return Masks::untested;
  if (worth.ci95->low > margin_of_masks) return Masks::matter;
  return worth.ci95->high < margin_of_masks ? Masks::do_not_matter : Masks::cannot_be_said;
}

StudyAnalysis analyse(const Study& study, const std::vector<RunRecord>& records, const std::vector<std::string>& locked,
                      const std::optional<TwoByTwo>& both, const std::vector<std::string>& locked_claims) {
  StudyAnalysis analysis = analyse_once(study, records, locked, both, locked_claims);
  if (study.stages.empty()) return analysis;
  judge_in_stages(study, analysis, [&](int64_t n) {
    const auto end = study.settings.seeds.begin() + n;
    std::vector<RunRecord> early;
    for (const RunRecord& run : records)
      if (std::find(study.settings.seeds.begin(), end, run.seed) != end) early.push_back(run);
    return analyse_once(study, early, locked, both, locked_claims);
  });
  return analysis;
}

}  // namespace absorb
