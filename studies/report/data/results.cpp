#include "studies/report/data/results.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "studies/analysis/groups.h"
#include "studies/analysis/wording.h"
#include "studies/report/data/derived.h"
#include "studies/report/data/json_values.h"
#include "studies/report/page/page.h"
#include "studies/study/tune.h"

namespace absorb {
namespace {

Json values(const std::vector<double>& numbers) {
  Json out = Json::array();
  for (double number : numbers) out.push_back(value(number));
  return out;
}

// What its folder's records hold, under their published names, and what follows from it.
Json of_run(const RunRecord& run) {
  Json out = published(static_cast<const ResultRecord&>(run));
  out.update({{"arm", run.arm}, {"target", run.target}, {"seed", run.seed}, {"cell", run.cell}, {"state", run.state}});
  out["failure"] = run.failure.empty() ? Json(nullptr) : Json(run.failure);
  for (const DerivedNumber& number : derived_numbers()) out[number.name] = value(number.of(run));
  return out;
}

Json of_fraction(const Ratio& ratio) {
  return {{"value", value(ratio.value)},
          {"ci95", value(ratio.ci)},
          {"why_undefined", ratio.why_undefined.empty() ? Json(nullptr) : Json(ratio.why_undefined)}};
}

void add_absorption(Json& out, const ContrastResult& row) {
  out["swap_cost"] = {{"n", row.swap_cost.n},
                      {"mean_nats", value(row.swap_cost.mean)},
                      {"sd", value(row.swap_cost.sd)},
                      {"ci95", value(row.swap_cost.ci95)}};
  out["absorbed_fraction"] = of_fraction(row.absorbed);
  if (row.calibrated_cost.n > 0) {
    out["swap_cost_calibrated"] = {{"n", row.calibrated_cost.n},
                                   {"mean_nats", value(row.calibrated_cost.mean)},
                                   {"ci95", value(row.calibrated_cost.ci95)}};
    out["absorbed_fraction_calibrated"] = of_fraction(row.calibrated);
  }
  out["random_twin"] = row.twin;
  out["lock_in"] = {{"n", row.lock_in.n}, {"mean_nats", value(row.lock_in.mean)}, {"ci95", value(row.lock_in.ci95)}};
  out["content_cost"] = {
      {"n", row.content_cost.n}, {"mean_nats", value(row.content_cost.mean)}, {"ci95", value(row.content_cost.ci95)}};
  out["absorbed_net"] = of_fraction(row.net);
  out["smallest_found_nats"] = value(row.smallest_found);
  out["swapped_below_chance"] = row.swapped_below_chance;
  if (!row.always.empty()) {
    out["always"] = row.always;
    out["absorption_index"] = of_fraction(row.index);
  }
  if (row.redrawn.empty()) return;
  out["redrawn"] = row.redrawn;
  out["stable"] = {{"n", row.stable.n},
                   {"by_seed", values(row.stable_by_seed)},
                   {"mean_nats", value(row.stable.mean)},
                   {"sd", value(row.stable.sd)},
                   {"ci95", value(row.stable.ci95)}};
  out["absorbed_share"] = of_fraction(row.share);
}

Json of_contrast(const ContrastResult& row) {
  Json out = {{"name", row.name},
              {"target", row.target},
              {"treatment", row.treatment},
              {"control", row.control},
              {"deployment", row.deployment},
              {"cell", row.cell},
              {"primary", row.primary},
              {"kind", kind(row)},
              {"seeds", row.seeds},
              {"positive_control", row.positive_control},
              {"n", row.paired.n},
              {"verdict", row.verdict},
              {"differences", values(row.differences)},
              {"mean_nats", value(row.paired.mean)}};
  out["sd"] = value(row.paired.sd);
  out["ci95"] = value(row.paired.ci95);
  out["ci95_documents"] = value(row.ci95_documents);
  out["p_t"] = value(row.paired.p_t);
  out["p_sign_flip"] = value(row.paired.p_sign_flip);
  out["smallest_p_sign_flip"] = value(row.paired.smallest_p);
  out["tost"] = {{"margin_nats", value(row.margin_nats)}, {"p", value(row.p_tost)}, {"holm_p", value(row.holm_p_tost)}};
  out["holm_p"] = value(row.holm_p);
  out["variance_ratio"] = value(row.variance_ratio);
  add_absorption(out, row);
  return out;
}

Json of_claim(const ClaimResult& row) {
  Json out = write_settings(row.claim);
  out["n"] = row.n;
  out["value"] = value(row.value);
  out["ci95"] = value(row.ci95);
  out["smallest_found"] = value(row.smallest_found);
  out["exploratory"] = row.exploratory;
  out["verdict"] = row.verdict;
  return out;
}

Json of_severity(const SeverityResult& row) {
  return {{"between", row.between},
          {"contrast", row.contrast},
          {"cell", row.cell},
          {"quantity", row.quantity},
          {"unit", row.unit},
          {"exploratory", row.exploratory},
          {"n", row.n},
          {"mean", value(row.mean)},
          {"mean_nats", row.unit == "nats" ? value(row.mean) : Json(nullptr)},
          {"sd", value(row.sd)},
          {"ci95", value(row.ci95)},
          {"p_t", value(row.p_t)},
          {"tost", {{"margin", value(row.margin)}, {"p", value(row.p_tost)}}},
          {"smallest_found", value(row.smallest_found)},
          {"verdict", row.verdict}};
}

Json of_arm(const ArmSummary& arm) {
  return {{"arm", arm.arm},
          {"target", arm.target},
          {"cell", arm.cell},
          {"n", arm.n},
          {"failed", arm.failed},
          {"loss_mean", value(arm.loss_mean)},
          {"loss_sd", value(arm.loss_sd)},
          {"ci95", value(arm.ci95)},
          {"swap_cost_mean", value(arm.swap_cost_mean)},
          {"parameters", arm.parameters},
          {"flops_per_token", value(arm.flops_per_token)},
          {"density", value(arm.density)},
          {"router_displacement", value(arm.displacement)},
          {"tokens_per_sec", value(arm.tokens_per_sec)}};
}

Json of_concentration(const Concentration& line) {
  return {{"k", line.k},
          {"cell", line.cell},
          {"mass_top_k", value(line.mass)},
          {"mass_uniform", value(line.uniform_mass)},
          {"oracle_cost_nats", value(line.oracle_cost)},
          {"random_cost_nats", value(line.random_cost)},
          {"excess_nats", value(line.excess.mean)},
          {"excess_ci95", value(line.excess.ci95)},
          {"masks", name(line.masks)}};
}

Json of_dose(const DoseResult& row) {
  Json points = Json::array();
  for (const Summary& point : row.points) points.push_back(value(point));
  return {{"contrast", row.contrast},  {"target", row.target},
          {"axis", row.axis},          {"rest", row.rest},
          {"dose", row.dose},          {"logarithmic", row.logarithmic},
          {"quantity", row.quantity},  {"doses", values(row.doses)},
          {"points", points},          {"n", row.n},
          {"slope", value(row.slope)}, {"sd", value(row.sd)},
          {"ci95", value(row.ci95)},   {"p_t", value(row.p_t)}};
}

Json of_deployment(const DeploymentSummary& row) {
  Json agreement = Json::object();
  for (const auto& [kind, mean] : row.agreement) agreement[kind] = published(mean);
  Json information = Json::object();
  for (const auto& [kind, found] : row.information)
    information[kind] = {{"n", found.bits.n},
                         {"bits", value(found.bits.mean)},
                         {"ci95", value(found.bits.ci95)},
                         {"null_95", value(found.null_95)},
                         {"largest_p", value(found.largest_p)},
                         {"ceiling_bits", value(found.ceiling)},
                         {"label_entropy", value(found.label_entropy)}};
  Json hardening = Json::array();
  for (const Summary& loss : row.hardening) hardening.push_back(value(loss));
  return {{"name", row.deployment},
          {"key", row.key},
          {"arm", row.arm},
          {"target", row.target},
          {"cell", row.cell},
          {"n", row.loss.n},
          {"loss", value(row.loss)},
          {"cost_nats", value(row.cost.mean)},
          {"ci95", value(row.cost.ci95)},
          {"open_cost_nats", value(row.open_cost)},
          {"compounding", value(row.compounding)},
          {"hardening", hardening},
          {"agreement", agreement},
          {"information", information},
          {"gain_correlation", value(row.gain_correlation)}};
}

template <class T, class F>
Json list(const std::vector<T>& rows, F json) {
  Json out = Json::array();
  for (const T& row : rows) out.push_back(json(row));
  return out;
}

}  // namespace

Json results_json(const Study& study, const std::vector<RunRecord>& records, const StudyAnalysis& analysis) {
  Json out;
  out["study"] = {{"name", study.settings.name},   {"question", study.settings.question},
                  {"note", study.settings.note},   {"targets", study.settings.targets},
                  {"seeds", study.settings.seeds}, {"match", study.settings.match}};
  for (const TunedSpec& tuned : study.tuned) {
    out["tuned"].push_back(write_tuned(tuned));
    out["tuned"].back()["losses"] = values(tuned.losses);  // null where a value failed
  }
  if (!analysis.claims.empty()) out["claims"] = list(analysis.claims, of_claim);
  if (const auto& stages = analysis.stages)
    out["stages"] = {
        {"least", stages->least}, {"most", stages->most}, {"now", stages->now}, {"decided", stages->decided}};
  out["arms"] = list(analysis.arms, of_arm);
  out["runs"] = list(records, of_run);
  out["contrasts"] = list(analysis.contrasts, of_contrast);
  out["severity"] = list(analysis.severity, of_severity);
  out["concentration"] = list(analysis.concentration, of_concentration);
  out["doses"] = list(analysis.doses, of_dose);
  out["deployments"] = list(analysis.deployments, of_deployment);
  return out;
}

void write_results(const Path& folder, const StudyReport& report) {
  const auto replace = Json::error_handler_t::replace;  // an argument or a path may be no UTF-8
  const std::vector<RunRecord>& records = report.records;
  Json results = results_json(report.study, records, report.analysis);
  if (!report.compensation.empty()) results["compensation"] = compensation_json(report.compensation);
  write_file(folder / "results.json", results.dump(2, ' ', false, replace) + "\n");
  write_file(folder / "runs.csv", runs_csv(records));
  write_file(folder / "evals.csv", evals_csv(records));
  write_file(folder / "contrasts.csv", contrasts_csv(report.analysis));
  write_file(folder / "deployments.csv", deployments_csv(records));
  write_file(folder / "report.html", report_page(report));
  if (report.compensation.empty()) return;
  std::ostringstream edges;
  graph_of(report.compensation.measurements).write_csv(edges);
  write_file(folder / "compensation.csv", edges.str());
}

}  // namespace absorb
