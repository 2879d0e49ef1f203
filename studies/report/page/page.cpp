#include "studies/report/page/page.h"

#include <fmt/format.h>

#include <algorithm>

#include "studies/analysis/compensation/summaries.h"
#include "studies/analysis/wording.h"
#include "studies/report/compensation/script.h"
#include "studies/report/page/html.h"
#include "studies/report/page/parts.h"
#include "studies/report/page/style.h"
#include "studies/study/noncausal.h"

namespace absorb {
namespace report {

std::string arm_class(const Study& study, const std::string& arm) {
  if (arm == "dense") return "arm-7";
  const auto found =
      std::find_if(study.arms.begin(), study.arms.end(), [&](const ArmSpec& a) { return a.name == arm; });
  const auto place = found - study.arms.begin();
  return fmt::format("arm-{}{}", place % 7, place % 14 < 7 ? "" : " again");
}

std::string verdict_class(const std::string& verdict) {
  if (verdict.starts_with("different") || verdict == "supported" || verdict == "contradicted") return "decided";
  return verdict == "equivalent" ? "tie" : "open";
}

namespace {

std::string answer_item(const std::string& verdict, const std::string& label, const std::string& sentence) {
  const std::string kind = verdict_class(verdict);
  return fmt::format("<li class=\"{}\"><span class=\"tag {}\">{}</span><span class=\"tag\">{}</span>{}</li>\n", kind,
                     kind, typeset(verdict), typeset(label), typeset(sentence));
}

/// Rows that share a verdict (the two scales of one severity) make one item.
std::string severity_items(const std::vector<SeverityResult>& rows) {
  std::string items;
  for (size_t first = 0, last = 0; first < rows.size(); first = last) {
    const SeverityResult& head = rows[first];
    if (head.quantity == "S") {  // it has its sentence above
      last = first + 1;
      continue;
    }
    const bool two_scales = head.quantity == "gap" && first + 1 < rows.size() && rows[first + 1].quantity == "R";
    last = first + (two_scales ? 2 : 1);
    std::string sentence = fmt::format("{}, {}: {}", head.contrast, with_cell(head.between, head.cell), answer(head));
    if (two_scales) sentence += "; " + answer(rows[first + 1]);
    items += answer_item(head.verdict, head.exploratory ? "severity, exploratory" : "severity", sentence + ".");
  }
  return items;
}

std::string answers(const Material& material) {
  std::string items;
  for (const ClaimResult& result : material.analysis.claims)
    items += answer_item(result.verdict, result.exploratory ? "claim, stated afterwards" : "claim",
                         fmt::format("{} {}.", result.claim.says, grounds(result)));
  if (material.analysis.stages)
    items += answer_item(material.analysis.stages->decided > 0 ? "decided" : "undecided", "plan in stages",
                         "Planned: " + stages_sentence(*material.analysis.stages));
  const std::vector<std::string> sentences = absorption_sentences(material.analysis);
  std::size_t sentence = 0;
  for (const SeverityResult& row : material.analysis.severity)
    if (row.quantity == "S") items += answer_item(row.verdict, "severity in S", sentences[sentence++]);
  for (const ContrastResult& row : material.analysis.contrasts)
    items += answer_item(row.verdict, kind(row), answer(row));
  items += severity_items(material.analysis.severity);
  for (const Attribution& attribution : material.compensation.attributions)
    items += answer_item(attribution.verdict, "compensation", claim_answer(attribution));
  if (items.empty()) return "<p>No contrast has both of its arms yet.</p>\n";
  return "<ul class=\"answers\">\n" + items + "</ul>\n" + concentration(material);
}

std::string progress(const Material& material) {
  int64_t done = 0, failed = 0;
  for (const RunRecord& run : material.records) {
    done += run.state == "done" ? 1 : 0;
    failed += run.state == "failed" ? 1 : 0;
  }
  const auto all = static_cast<int64_t>(material.records.size());
  std::string out = fmt::format("{} of {} runs done", done, all);
  if (failed > 0) out += fmt::format(", {} failed", failed);
  return out +
         fmt::format("; {} seeds; loss in nats per token on held-out text.", material.study.settings.seeds.size());
}

std::string header(const Material& material) {
  const StudySettings& settings = material.study.settings;
  std::string out =
      fmt::format("<header>\n<p class=\"kicker\">absorb study: {}</p>\n<h1>{}</h1>\n<p class=\"meta\">{}</p>\n",
                  typeset(settings.name), typeset(settings.question.empty() ? settings.name : settings.question),
                  typeset(progress(material)));
  const std::string noncausal = noncausal_note(material.study);
  for (const std::string& note : {settings.note, noncausal.empty() ? "" : "NOTE: " + noncausal})
    if (!note.empty()) out += fmt::format("<p class=\"note\" role=\"note\">{}</p>\n", typeset(note));
  return out + "</header>\n";
}

/// Without a script none may run; with the slider's that one alone.
std::string head(const Material& material) {
  const std::string scripts = material.compensation.empty() ? "" : fmt::format("; script-src '{}'", slider_script_hash);
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src "
      "data:{}\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{} | "
      "absorb</title>\n"
      "<link rel=\"icon\" href=\"data:,\">\n<style>{}</style>\n</head>\n<body>\n",
      scripts, escape(material.study.settings.name), style_sheet);
}

std::string script(const Material& material) {
  return material.compensation.empty() ? "" : fmt::format("<script>{}</script>\n", slider_script);
}

std::string runs(const Material& material) {
  return "<details>\n<summary>Every run</summary>\n" + run_table(material) + "</details>\n";
}

}  // namespace
}  // namespace report

std::string report_page(const StudyReport& all) {
  using namespace report;
  const std::vector<RunGroup> groups = group_runs(all.study, all.records);
  const Material material{all.study, all.methods, all.records, all.analysis, groups, all.compensation};
  return head(material) + report::header(material) + "<main>\n" + section("answers", "Answers", answers(material)) +
         section("gaps", "Gaps", forest(material) + contrast_tables(material)) +
         section("losses", "Losses", curves(material) + arm_table(material)) +
         section("absorption", "Absorption",
                 swap_against_gap(material) + absorption_table(material) + severity_table(material)) +
         section("doses", "Doses", doses(material)) +
         section(
             "deployments", "Deployments",
             deployment_costs(material) + information_table(material) + transplants(material) + hardening(material)) +
         section("compensation", "Compensation", compensation(material)) +
         section("health", "Router health", health_table(material)) +
         section("gradients", "Gradient account", gradient_accounts(material)) +
         section("confounds", "Confounds", confound_table(material)) +
         section("methods", "Methods", methods(material)) +
         section("provenance", "Provenance", provenance_table(material) + runs(material)) +
         "</main>\n<footer>Written by absorb. Numbers at full precision: results.json, runs.csv, evals.csv and "
         "contrasts.csv beside this page.</footer>\n" +
         script(material) + "</body>\n</html>\n";
}

}  // namespace absorb
