#include <cmath>
#include <set>

#include "core/numbers.h"
#include "studies/analysis/groups.h"
#include "studies/analysis/wording.h"
#include "studies/report/data/csv.h"
#include "studies/report/data/derived.h"
#include "studies/report/data/json_values.h"
#include "studies/report/data/results.h"

namespace absorb {
namespace {

template <class T>
std::vector<std::string> axes_of(const std::vector<T>& rows) {
  std::set<std::string> keys;
  for (const T& row : rows)
    for (const auto& [key, value] : row.cell) keys.insert(key);
  return {keys.begin(), keys.end()};
}

std::vector<std::string> header(const std::vector<std::string>& first, const std::vector<std::string>& axes,
                                const std::vector<std::string>& rest) {
  std::vector<std::string> all = first;
  all.insert(all.end(), axes.begin(), axes.end());
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

void add_cell(Csv& csv, const std::vector<std::string>& axes, const Cell& cell) {
  for (const std::string& axis : axes) csv.cell(cell.contains(axis) ? cell.at(axis) : std::string());
}

void add_interval(Csv& csv, const std::optional<Interval>& interval) {
  csv.cell(interval ? interval->low : nan).cell(interval ? interval->high : nan);
}

using Columns = std::vector<std::pair<std::string, Json>>;

// Of result.json in the order of its list, and what follows from it where it belongs.
Columns run_columns(const RunRecord& run) {
  Columns out;
  const auto add = [&](const auto& self, const std::string& name, Json cell) -> void {
    out.emplace_back(name, std::move(cell));
    for (const DerivedNumber& number : derived_numbers())
      if (number.after == name) self(self, number.name, value(number.of(run)));
  };
  for (auto& [name, cell] : columns(static_cast<const ResultRecord&>(run))) add(add, name, std::move(cell));
  return out;
}

// The columns of a record that hold numbers.
template <class S>
Columns numbers_of(const S& record) {
  Columns out = columns(record);
  std::erase_if(out, [](const auto& column) { return column.second.is_string(); });
  return out;
}

void add_evaluation(Csv& csv, const std::vector<std::string>& axes, const RunRecord& run, const std::string& phase,
                    const std::string& deployment, const CurvePoint& point) {
  csv.cell(run.arm).cell(run.target);
  add_cell(csv, axes, run.cell);
  csv.cell(run.seed).cell(phase).cell(deployment).cell(point.step).cell(point.tokens);
  csv.cell(point.train_loss).cell(point.val_loss).cell(std::exp(point.val_loss)).end();
}

}  // namespace

std::string runs_csv(const std::vector<RunRecord>& records) {
  const std::vector<std::string> axes = axes_of(records);
  Csv csv(header({"arm", "target"}, axes, [] {
    std::vector<std::string> names = {"seed", "state", "failure"};
    for (const auto& [name, value] : run_columns({})) names.push_back(name);
    return names;
  }()));
  for (const RunRecord& run : records) {
    csv.cell(run.arm).cell(run.target);
    add_cell(csv, axes, run.cell);
    csv.cell(run.seed).cell(run.state).cell(run.failure);
    for (const auto& [name, value] : run_columns(run)) csv.cell(value);
    csv.end();
  }
  return csv.text();
}

std::string evals_csv(const std::vector<RunRecord>& records) {
  const std::vector<std::string> axes = axes_of(records);
  Csv csv(header({"arm", "target"}, axes,
                 {"seed", "phase", "deployment", "step", "n_tokens_seen", "train_loss", "val_loss", "ppl"}));
  for (const RunRecord& run : records) {
    for (const CurvePoint& point : run.curve) add_evaluation(csv, axes, run, "training", "native", point);
    CurvePoint last = run.curve.empty() ? CurvePoint{} : run.curve.back();
    last.train_loss = nan;
    for (const auto& [deployment, loss] : run.evaluations) {
      last.val_loss = loss;
      add_evaluation(csv, axes, run, "final", deployment, last);
    }
  }
  return csv.text();
}

const std::vector<std::string> contrast_columns = {"treatment",
                                                   "control",
                                                   "primary",
                                                   "kind",
                                                   "n",
                                                   "mean_nats",
                                                   "sd",
                                                   "ci95_low",
                                                   "ci95_high",
                                                   "ci95_documents_low",
                                                   "ci95_documents_high",
                                                   "p_t",
                                                   "holm_p",
                                                   "p_sign_flip",
                                                   "smallest_p_sign_flip",
                                                   "margin_nats",
                                                   "p_tost",
                                                   "holm_p_tost",
                                                   "variance_ratio",
                                                   "swap_cost_nats",
                                                   "swap_cost_ci95_low",
                                                   "swap_cost_ci95_high",
                                                   "absorbed_fraction",
                                                   "absorbed_fraction_ci95_low",
                                                   "absorbed_fraction_ci95_high",
                                                   "absorbed_fraction_why_undefined",
                                                   "lock_in_nats",
                                                   "content_cost_nats",
                                                   "absorbed_net",
                                                   "absorbed_net_ci95_low",
                                                   "absorbed_net_ci95_high",
                                                   "smallest_found_nats",
                                                   "stable_nats",
                                                   "stable_ci95_low",
                                                   "stable_ci95_high",
                                                   "absorbed_share",
                                                   "absorbed_share_ci95_low",
                                                   "absorbed_share_ci95_high",
                                                   "absorbed_share_why_undefined",
                                                   "verdict"};

std::string contrasts_csv(const StudyAnalysis& analysis) {
  const std::vector<std::string> axes = axes_of(analysis.contrasts);
  Csv csv(header({"name", "target"}, axes, contrast_columns));
  for (const ContrastResult& row : analysis.contrasts) {
    csv.cell(row.name).cell(row.target);
    add_cell(csv, axes, row.cell);
    csv.cell(row.treatment).cell(row.control).cell(row.primary).cell(kind(row)).cell(row.paired.n);
    csv.cell(row.paired.mean).cell(row.paired.sd);
    add_interval(csv, row.paired.ci95);
    add_interval(csv, row.ci95_documents);
    csv.cell(row.paired.p_t).cell(row.holm_p).cell(row.paired.p_sign_flip).cell(row.paired.smallest_p);
    csv.cell(row.margin_nats).cell(row.p_tost).cell(row.holm_p_tost).cell(row.variance_ratio);
    csv.cell(row.swap_cost.mean);
    add_interval(csv, row.swap_cost.ci95);
    csv.cell(row.absorbed.value);
    add_interval(csv, row.absorbed.ci);
    csv.cell(row.absorbed.why_undefined).cell(row.lock_in.mean).cell(row.content_cost.mean).cell(row.net.value);
    add_interval(csv, row.net.ci);
    csv.cell(row.smallest_found).cell(row.stable.mean);
    add_interval(csv, row.stable.ci95);
    csv.cell(row.share.value);
    add_interval(csv, row.share.ci);
    csv.cell(row.share.why_undefined).cell(row.verdict).end();
  }
  return csv.text();
}

std::string deployments_csv(const std::vector<RunRecord>& records) {
  const std::vector<std::string> axes = axes_of(records);
  Csv csv(header({"arm", "target"}, axes, [] {
    std::vector<std::string> names = {"seed", "deployment", "key", "native_loss"};
    for (const auto& [name, value] : numbers_of(DeploymentRecord{})) names.push_back(name);
    names.emplace_back("kind");
    for (const auto& [name, value] : numbers_of(AgreementRecord{})) names.push_back(name);
    return names;
  }()));
  for (const RunRecord& run : records)
    for (const auto& [key, deployed] : run.deployments) {
      auto agreement = deployed.agreement;
      if (agreement.empty()) agreement[""] = {nan, nan, nan, nan, nan};
      for (const auto& [kind, record] : agreement) {
        csv.cell(run.arm).cell(run.target);
        add_cell(csv, axes, run.cell);
        csv.cell(run.seed).cell(deployed.deployment).cell(key).cell(run.val_loss);
        for (const auto& [name, value] : numbers_of(static_cast<const DeploymentRecord&>(deployed))) csv.cell(value);
        csv.cell(kind);
        for (const auto& [name, value] : numbers_of(record)) csv.cell(value);
        csv.end();
      }
    }
  return csv.text();
}

}  // namespace absorb
