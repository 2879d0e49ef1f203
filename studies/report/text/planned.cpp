#include "studies/report/text/planned.h"

#include <fmt/format.h>

#include "studies/analysis/tuning.h"
#include "studies/analysis/wording.h"
#include "studies/report/text/table.h"
#include "studies/report/text/text_table.h"

namespace absorb {
namespace {

std::string claims(const StudyAnalysis& analysis) {
  if (analysis.claims.empty()) return "";
  std::string out = "\nCLAIMS, stated before the first step unless marked\n";
  for (const ClaimResult& result : analysis.claims)
    out += wrapped(fmt::format("{}{}: {} ({})", result.verdict, result.exploratory ? ", stated afterwards" : "",
                               result.claim.says, grounds(result)),
                   table_width, " ", "   ");
  return out;
}

std::string tuning(const Study& study) {
  if (study.tuned.empty()) return "";
  std::string out = fmt::format("\nTUNED on seeds of its own, {}: each arm's best of the grid, by valid loss\n",
                                fmt::join(study.tune.seeds, ", "));
  for (const std::string& sentence : tuning_sentences(study)) out += wrapped(sentence, table_width, " ", "   ");
  return out;
}

std::string stages(const StudyAnalysis& analysis) {
  return analysis.stages ? "\n" + wrapped("IN STAGES: " + stages_sentence(*analysis.stages), table_width) : "";
}

}  // namespace

std::string planned_text(const Study& study, const StudyAnalysis& analysis) {
  return claims(analysis) + stages(analysis) + tuning(study);
}

}  // namespace absorb
