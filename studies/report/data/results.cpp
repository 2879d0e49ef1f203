#include "studies/report/data/results.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "studies/analysis/groups.h"
#include "studies/analysis/wording.h"
#include "studies/report/data/json_values.h"
#include "studies/report/page/page.h"

namespace absorb {
namespace {

Json values(const std::vector<double>& numbers) {
  Json out = Json::array();
  for (double number : numbers) out.push_back(value(number));
  return out;
}

Json of_site(const SiteHealth& site) {
  return {{"site", site.site},
          {"load_imbalance", value(site.load_imbalance)},
          {"router_entropy", value(site.entropy)},
          {"dead_choices", value(site.dead_choices)},
          {"density", value(site.density)},
          {"margin", value(site.margin)},
          {"saturation", value(site.saturation)},
          {"score_mean", value(site.score_mean)},
          {"score_sd", value(site.score_sd)}};
}

Json of_parameters(const ParameterCounts& counts) {
  return {{"unique", counts.unique}, {"untied", counts.untied}, {"non_embedding", counts.non_embedding},
          {"module", counts.module}, {"router", counts.router}, {"trained", counts.trained}};
}

Json of_run(const RunRecord& run) {
  Json out = {{"arm", run.arm}, {"target", run.target}, {"seed", run.seed}, {"cell", run.cell}, {"state", run.state}};
  out["failure"] = run.failure.empty() ? Json(nullptr) : Json(run.failure);
  out["val_loss"] = value(run.val_loss);
  out["ppl"] = value(std::exp(run.val_loss));
  out["bpb"] = value(run.bits_per_byte);
  out["test_loss"] = value(run.test_loss);
  out["evaluations"] = Json::object();
  for (const auto& [deployment, loss] : run.evaluations) out["evaluations"][deployment] = value(loss);
  out["swap_cost"] = value(deployment_cost(run, "swap"));
  out["parameters"] = of_parameters(run.parameters);
  out["flops_per_token"] = value(run.flops_per_token);
  out["tokens_per_sec"] = value(run.tokens_per_sec);
  out["seconds"] = value(run.seconds);
  out["router_displacement"] = value(run.router_displacement);
  out["top_k"] = run.top_k;
  out["mass_top_k"] = value(run.mass_top_k);
  out["mass_uniform"] = value(run.mass_uniform);
  out["health"] = Json::array();
  for (const SiteHealth& site : run.health) out["health"].push_back(of_site(site));
  return out;
}

Json of_fraction(const Ratio& ratio) {
  return {{"value", value(ratio.value)},
          {"ci95", value(ratio.ci)},
          {"why_undefined", ratio.why_undefined.empty() ? Json(nullptr) : Json(ratio.why_undefined)}};
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
  out["swap_cost"] = {{"n", row.swap_cost.n},
                      {"mean_nats", value(row.swap_cost.mean)},
                      {"sd", value(row.swap_cost.sd)},
                      {"ci95", value(row.swap_cost.ci95)}};
  out["absorbed_fraction"] = of_fraction(row.absorbed);
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
          {"matters", line.matters}};
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
  for (const auto& [kind, a] : row.agreement)
    agreement[kind] = {{"f1", value(a.f1)},
                       {"jaccard", value(a.jaccard)},
                       {"retained_mass", value(a.retained_mass)},
                       {"oracle_mass", value(a.oracle_mass)},
                       {"density", value(a.density)}};
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
  out["arms"] = list(analysis.arms, of_arm);
  out["runs"] = list(records, of_run);
  out["contrasts"] = list(analysis.contrasts, of_contrast);
  out["severity"] = list(analysis.severity, of_severity);
  out["concentration"] = list(analysis.concentration, of_concentration);
  out["doses"] = list(analysis.doses, of_dose);
  out["deployments"] = list(analysis.deployments, of_deployment);
  return out;
}

void write_results(const Path& folder, const Study& study, const std::vector<RunRecord>& records,
                   const StudyAnalysis& analysis, const CompensationResults& compensation) {
  const auto replace = Json::error_handler_t::replace;  // an argument or a path may be no UTF-8
  Json results = results_json(study, records, analysis);
  if (!compensation.empty()) results["compensation"] = compensation_json(compensation);
  write_file(folder / "results.json", results.dump(2, ' ', false, replace) + "\n");
  write_file(folder / "runs.csv", runs_csv(records));
  write_file(folder / "evals.csv", evals_csv(records));
  write_file(folder / "contrasts.csv", contrasts_csv(analysis));
  write_file(folder / "deployments.csv", deployments_csv(records));
  write_file(folder / "report.html", report_page(study, records, analysis, compensation));
  if (compensation.empty()) return;
  std::ostringstream edges;
  graph_of(compensation.measurements).write_csv(edges);
  write_file(folder / "compensation.csv", edges.str());
}

}  // namespace absorb
