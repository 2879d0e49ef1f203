#include <algorithm>

#include "statistics/verdict.h"
#include "studies/analysis/rows/rows.h"

namespace absorb {
namespace {

bool is_open(const std::string& verdict) {
  return verdict.starts_with("undecided");
}

/// What a plan waits for: the primary contrasts and the claims, as far as they were stated before the first step.
template <class F>
void each_awaited(StudyAnalysis& analysis, F visit) {
  for (ContrastResult& row : analysis.contrasts)
    if (row.primary && !row.exploratory) visit(row.verdict, row.paired.n);
  for (ClaimResult& claim : analysis.claims)
    if (!claim.exploratory) visit(claim.verdict, claim.n);
}

}  // namespace

double judged_p(const Study& study, double p, StagedTest test, int64_t n) {
  if (study.stages.empty()) return p;
  return staged_p(p, test, {study.stages.least, static_cast<int64_t>(study.settings.seeds.size())}, n);
}

void judge_in_stages(const Study& study, StudyAnalysis& analysis, const std::function<StudyAnalysis(int64_t n)>& at) {
  Stages stages{study.stages.least, static_cast<int64_t>(study.settings.seeds.size()), 0, 0};
  stages.now = stages.most;
  each_awaited(analysis, [&](const std::string&, int64_t n) { stages.now = std::min(stages.now, n); });
  std::vector<std::string> first;  // the first verdict of each awaited row, in their order
  each_awaited(analysis, [&](const std::string&, int64_t) { first.emplace_back("undecided (n)"); });
  for (int64_t n = stages.least; n <= stages.now && stages.decided == 0; ++n) {
    StudyAnalysis look = at(n);
    std::size_t row = 0;
    each_awaited(look, [&](const std::string& verdict, int64_t) {
      if (is_open(first[row])) first[row] = verdict;
      ++row;
    });
    if (std::ranges::none_of(first, is_open)) stages.decided = n;
  }
  std::size_t row = 0;
  each_awaited(analysis, [&](std::string& verdict, int64_t) { verdict = first[row++]; });
  analysis.stages = stages;
}

}  // namespace absorb
