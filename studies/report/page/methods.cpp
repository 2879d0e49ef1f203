#include <fmt/format.h>

#include <algorithm>

#include "studies/analysis/tuning.h"
#include "studies/analysis/wording.h"
#include "studies/report/page/html.h"
#include "studies/report/page/parts.h"

namespace absorb::report {
namespace {

/// What was matched is the study's, how large the dense model is its runs'.
std::string model_sentence(const Material& material) {
  std::string out = material.methods.model;
  const RunGroup* dense = find_group(material.groups, "dense", "dense", {});
  if (dense != nullptr && !dense->done.empty())
    out += fmt::format(" ({} parameters as the dense model)",
                       count(static_cast<double>(dense->done.front()->parameters.unique)));
  const std::string& match = material.study.settings.match;
  if (match == "parameters") out += "; targets were matched to it in total parameters";
  if (match == "active_flops") out += "; targets were matched to it in active forward operations per token";
  return out + ".";
}

/// "routing.frozen = true", for every value that an arm overrides.
void flatten(const Json& value, const std::string& key, std::vector<std::string>& out) {
  if (!value.is_object()) {
    out.push_back(fmt::format("{} = {}", key, value.dump(-1, ' ', false, Json::error_handler_t::replace)));
    return;
  }
  for (const auto& [name, inner] : value.items()) flatten(inner, key.empty() ? name : key + "." + name, out);
}

std::string arms_sentence(const Study& study) {
  std::vector<std::string> arms, routing;
  for (const ArmSpec& arm : study.arms) {
    std::vector<std::string> overrides;
    flatten(arm.overrides.value(), "", overrides);
    if (!arm.from.empty()) overrides.insert(overrides.begin(), "starts from the end of " + arm.from);
    if (!arm.reinitialise.empty()) overrides.push_back("initial values kept for " + join(arm.reinitialise));
    arms.push_back(arm.name + (overrides.empty() ? "" : " (" + join(overrides) + ")"));
  }
  if (study.base.has("routing")) flatten(study.base.value()["routing"], "", routing);
  std::string out = "Arms: " + join(arms, "; ") + "; and the dense model.";
  return routing.empty() ? out : out + " Routing that they share: " + join(routing) + ".";
}

std::string pairs_sentence(const Study& study) {
  std::vector<std::string> seeds;
  for (int64_t seed : study.settings.seeds) seeds.push_back(std::to_string(seed));
  return fmt::format(
      "Every arm was trained in the targets {} with the seeds {}; one seed fixes the initial value of every parameter "
      "that "
      "arms share, the order of the data and the dropout, so that seeds are pairs.",
      join(study.settings.targets), join(seeds));
}

std::string deployments_sentence(const Study& study, const StudyAnalysis& analysis) {
  std::vector<std::string> names;
  for (const DeploymentSpec& deployment : study.deployments) {
    std::vector<std::string> what;
    flatten(deployment.routing.value(), "routing", what);
    if (!deployment.routes_of.empty()) what.push_back("trained routers of " + deployment.routes_of);
    if (deployment.random > 0) what.emplace_back("random routers with the run's own score moments");
    if (deployment.step > 0) what.push_back(fmt::format("routers as of step {}", deployment.step));
    if (deployment.loop != "closed") what.push_back(deployment.loop == "open" ? "open loop" : "closed and open loop");
    names.push_back(deployment.name + (what.empty() ? "" : " (" + join(what) + ")"));
  }
  if (names.empty()) return "";
  return "Trained weights were also evaluated, without training, under the deployments " + join(names, "; ") + ". " +
         note_on_gains(analysis);
}

std::string tests_sentence(const StudyAnalysis& analysis) {
  std::vector<std::string> primary;
  int64_t members = 0;
  for (const ContrastResult& row : analysis.contrasts) {
    if (!row.primary || row.exploratory) continue;
    ++members;
    const std::string label = fmt::format("{} (margin {:g} nats)", row.name, row.margin_nats);
    if (std::find(primary.begin(), primary.end(), label) == primary.end()) primary.push_back(label);
  }
  std::string out =
      "Gaps are mean differences in held-out loss, in nats per token, with 95 % t intervals; they were tested by "
      "paired t "
      "tests and, for ties, by two one-sided tests (TOST); sign-flip p values stand beside them. ";
  if (members > 0)
    out += fmt::format(
        "Primary contrasts, planned before the first step: {}; the p values of these {} tests were adjusted "
        "after Holm, the t tests and the TOSTs separately, at the level 0.05. ",
        join(primary), members);
  return out +
         fmt::format(
             "In all {} rows were tested (contrasts and severities, by target and cell); rows of the same arms share "
             "runs and are not independent. ",
             analysis.contrasts.size() + analysis.severity.size()) +
         "A verdict needs five seeds (three for a planted positive control). The absorbed share S = V_stable / "
         "(V_stable "
         "+ V_content) and the absorbed fraction R = 1 - gap / swap cost have Fieller's intervals and are undefined "
         "unless "
         "the interval of the denominator lies above 0. Contrasts and claims added later are exploratory.";
}

}  // namespace

namespace {

std::string tuning_paragraph(const Study& study) {
  std::string text =
      study.tuned.empty()
          ? std::string("No rate was tuned: every arm trains with the study's own, whatever would be best for it.")
          : fmt::format(
                "Each arm trains with its best of a grid, chosen by valid loss on seeds that no contrast uses "
                "({}). ",
                fmt::join(study.tune.seeds, ", ")) +
                join(tuning_sentences(study), ". ") + ".";
  return "<p>" + typeset(text) + "</p>\n";
}

}  // namespace

std::string methods(const Material& material) {
  const auto paragraph = [](const std::string& text) { return "<p>" + typeset(text) + "</p>\n"; };
  const MethodsWords& words = material.methods;
  return paragraph(words.data + " " + model_sentence(material) + " " + words.training) +
         tuning_paragraph(material.study) +
         paragraph(pairs_sentence(material.study) + " " + arms_sentence(material.study)) +
         (material.study.deployments.empty() ? ""
                                             : paragraph(deployments_sentence(material.study, material.analysis))) +
         paragraph(tests_sentence(material.analysis));
}

}  // namespace absorb::report
