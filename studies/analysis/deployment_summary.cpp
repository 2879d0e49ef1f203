#include <cmath>
#include <set>

#include "studies/analysis/analysis_parts.h"

namespace absorb {
namespace {

using Records = std::vector<const DeploymentRecord*>;

template <class F>
Summary finite_summary(const Records& records, F value) {
  std::vector<double> finite;
  for (const DeploymentRecord* record : records)
    if (const double v = value(*record); std::isfinite(v)) finite.push_back(v);
  return summarize(finite);
}

std::map<std::string, AgreementRecord> mean_agreement(const Records& records) {
  std::set<std::string> kinds;
  for (const DeploymentRecord* record : records)
    for (const auto& [kind, agreement] : record->agreement) kinds.insert(kind);
  std::map<std::string, AgreementRecord> out;
  for (const std::string& kind : kinds) {
    const auto mean = [&](double AgreementRecord::*field) {
      return finite_summary(records,
                            [&](const DeploymentRecord& record) {
                              const auto found = record.agreement.find(kind);
                              return found == record.agreement.end() ? NAN : found->second.*field;
                            })
          .mean;
    };
    out[kind] = {mean(&AgreementRecord::f1), mean(&AgreementRecord::jaccard), mean(&AgreementRecord::retained_mass),
                 mean(&AgreementRecord::oracle_mass), mean(&AgreementRecord::density)};
  }
  return out;
}

DeploymentSummary summarise_one(const RunGroup& group, const std::string& key) {
  DeploymentSummary out;
  out.key = key;
  out.arm = group.arm;
  out.target = group.target;
  out.cell = group.cell;
  Records records;
  std::vector<double> deployed, native, correlations;
  std::size_t layers = 0;
  for (const RunRecord* run : group.done) {
    const auto found = run->deployments.find(key);
    if (found == run->deployments.end() || !std::isfinite(found->second.loss())) continue;
    records.push_back(&found->second);
    deployed.push_back(found->second.loss());
    native.push_back(run->val_loss);
    layers = std::max(layers, found->second.hardening.size());
    for (const auto& [site, value] : found->second.gain_correlation)
      if (std::isfinite(value)) correlations.push_back(value);
  }
  if (records.empty()) return out;
  out.deployment = records.front()->deployment;
  out.loss = summarize(deployed);
  out.cost = paired(differences(deployed, native));
  out.gain_correlation = summarize(correlations);
  out.compounding = finite_summary(records, [](const DeploymentRecord& r) { return r.compounding; });
  std::vector<double> open;
  for (std::size_t i = 0; i < records.size(); ++i)
    if (std::isfinite(records[i]->open) && std::isfinite(records[i]->closed))
      open.push_back(records[i]->open - native[i]);
  out.open_cost = summarize(open);
  for (std::size_t r = 0; r < layers; ++r)
    out.hardening.push_back(finite_summary(
        records, [r](const DeploymentRecord& d) { return r < d.hardening.size() ? d.hardening[r] : NAN; }));
  out.agreement = mean_agreement(records);
  return out;
}

}  // namespace

std::vector<DeploymentSummary> summarise_deployments(const std::vector<RunGroup>& groups) {
  std::vector<DeploymentSummary> out;
  for (const RunGroup& group : groups) {
    std::set<std::string> keys;
    for (const RunRecord* run : group.done)
      for (const auto& [key, record] : run->deployments) keys.insert(key);
    for (const std::string& key : keys)
      if (DeploymentSummary one = summarise_one(group, key); one.loss.n > 0) out.push_back(std::move(one));
  }
  return out;
}

}  // namespace absorb
