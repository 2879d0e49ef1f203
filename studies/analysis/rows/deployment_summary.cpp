#include <algorithm>
#include <cmath>
#include <set>

#include "studies/analysis/rows/rows.h"

namespace absorb {
namespace {

using Records = std::vector<const DeployedRecord*>;

template <class F>
Summary finite_summary(const Records& records, F value) {
  std::vector<double> finite;
  for (const DeployedRecord* record : records)
    if (const double v = value(*record); std::isfinite(v)) finite.push_back(v);
  return summarize(finite);
}

// Number by number over those that have it.
AgreementRecord mean_of(std::vector<AgreementRecord> records) {
  AgreementRecord mean;
  const std::vector<double*> means = number_fields(detail::list_of(mean));
  std::vector<std::vector<double>> columns(means.size());
  for (AgreementRecord& record : records) {
    const std::vector<double*> own = number_fields(detail::list_of(record));
    for (std::size_t i = 0; i < own.size(); ++i)
      if (std::isfinite(*own[i])) columns[i].push_back(*own[i]);
  }
  for (std::size_t i = 0; i < means.size(); ++i) *means[i] = summarize(columns[i]).mean;
  return mean;
}

std::map<std::string, AgreementRecord> mean_agreement(const Records& records) {
  std::set<std::string> kinds;
  for (const DeployedRecord* record : records)
    for (const auto& [kind, agreement] : record->agreement) kinds.insert(kind);
  std::map<std::string, AgreementRecord> out;
  for (const std::string& kind : kinds) {
    std::vector<AgreementRecord> found;
    for (const DeployedRecord* record : records)
      if (const auto own = record->agreement.find(kind); own != record->agreement.end()) found.push_back(own->second);
    out[kind] = mean_of(found);
  }
  return out;
}

std::map<std::string, InformationSummary> information_of(const Records& records) {
  std::map<std::string, std::vector<const InformationRecord*>> by_kind;
  for (const DeployedRecord* record : records)
    for (const auto& [kind, information] : record->information)
      if (information.decision.n > 0) by_kind[kind].push_back(&information);
  std::map<std::string, InformationSummary> out;
  for (const auto& [kind, found] : by_kind) {
    const auto each = [&those = found](auto value) {
      std::vector<double> values;
      for (const InformationRecord* record : those) values.push_back(value(*record));
      return values;
    };
    const auto p = each([](const InformationRecord& r) { return r.decision.p; });
    out[kind] = {paired(each([](const InformationRecord& r) { return r.decision.corrected; })),
                 summarize(each([](const InformationRecord& r) { return r.decision.null_95; })),
                 summarize(each([](const InformationRecord& r) { return r.ceiling.corrected; })),
                 summarize(each([](const InformationRecord& r) { return r.decision.label_entropy; })),
                 *std::ranges::max_element(p)};
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
  out.compounding = finite_summary(records, [](const DeployedRecord& r) { return r.compounding; });
  std::vector<double> open;
  for (std::size_t i = 0; i < records.size(); ++i)
    if (std::isfinite(records[i]->open) && std::isfinite(records[i]->closed))
      open.push_back(records[i]->open - native[i]);
  out.open_cost = summarize(open);
  for (std::size_t r = 0; r < layers; ++r)
    out.hardening.push_back(finite_summary(
        records, [r](const DeployedRecord& d) { return r < d.hardening.size() ? d.hardening[r] : NAN; }));
  out.agreement = mean_agreement(records);
  out.information = information_of(records);
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
