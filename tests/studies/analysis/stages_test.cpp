// Plans in stages: when they end, and that the word of a look stays.
#include <gtest/gtest.h>

#include "core/random.h"
#include "studies/analysis/wording.h"
#include "tests/studies/synthetic.h"

namespace absorb {
namespace {

Study staged(int64_t most) {
  Study study = synthetic::small_study();
  study.settings.targets = {"moe"};
  study.settings.seeds.clear();
  for (int64_t seed = 1; seed <= most; ++seed) study.settings.seeds.push_back(seed);
  study.stages.until = "decided";
  study.contrasts[0].margin_nats = 1e-9;  // no ties
  return study;
}

/// One run of both arms for each gap, in nats.
std::vector<RunRecord> with_gaps(const std::vector<double>& gaps) {
  std::vector<RunRecord> records;
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    const auto seed = static_cast<int64_t>(i) + 1;
    records.push_back(synthetic::routed("learned", "moe", seed, 1.5, 0.4));
    records.push_back(synthetic::routed("random", "moe", seed, 1.5 + gaps[i], 0.01));
  }
  return records;
}

StudyAnalysis analysed(const Study& study, const std::vector<double>& gaps) {
  std::vector<std::string> claims;
  for (const ClaimSpec& claim : study.claims) claims.push_back(claim.says);
  return analyse(study, with_gaps(gaps), {"routing gap"}, std::nullopt, claims);
}

// Gaps 0.04, 0.06 ... of five seeds: p = 0.0048. It passes 0.05, and not the 0.0008 of the first look of ten.
TEST(StudiesStages, ALookHasItsOwnLevel) {
  const std::vector<double> gaps = {0.04, 0.06, 0.08, 0.10, 0.12};
  EXPECT_EQ(analysed(staged(5), gaps).contrasts[0].verdict, "different");
  const StudyAnalysis early = analysed(staged(10), gaps);
  EXPECT_LT(early.contrasts[0].paired.p_t, 0.05);
  EXPECT_EQ(early.contrasts[0].verdict, "undecided");
  ASSERT_TRUE(early.stages);
  EXPECT_EQ(early.stages->now, 5);
  EXPECT_EQ(early.stages->decided, 0);
  EXPECT_NE(stages_sentence(*early.stages).find("Not decided yet, at n = 5"), std::string::npos);
}

TEST(StudiesStages, AVerdictStaysWhateverComesAfterIt) {
  std::vector<double> gaps = {0.08, 0.081, 0.079, 0.08, 0.082};  // p far below 0.0008
  for (int more = 0; more < 5; ++more) gaps.push_back(-0.3);     // would undo it
  const StudyAnalysis analysis = analysed(staged(10), gaps);
  EXPECT_EQ(analysis.contrasts[0].verdict, "different");
  EXPECT_EQ(analysis.stages->decided, 5);
  EXPECT_EQ(analysis.stages->now, 10);
}

TEST(StudiesStages, WaitsForEveryClaim) {
  Study study = staged(10);
  ClaimSpec claim;
  claim.says = "The gap is above 0.0795.";
  claim.contrast = "routing gap";
  claim.where = "moe";
  claim.quantity = "gap";
  claim.than = 0.0795;
  study.claims = {claim};
  const std::vector<double> gaps = {0.08, 0.081, 0.079, 0.08, 0.082};
  const StudyAnalysis analysis = analysed(study, gaps);
  EXPECT_EQ(analysis.contrasts[0].verdict, "different");
  EXPECT_EQ(analysis.claims[0].verdict, "undecided");
  EXPECT_EQ(analysis.stages->decided, 0);
  study.claims[0].than = 0.05;
  EXPECT_EQ(analysed(study, gaps).claims[0].verdict, "supported");
  EXPECT_EQ(analysed(study, gaps).stages->decided, 5);
}

// What the plan promises: without a difference, no look of any finds one in more than 5 % of studies. Looking at 5 %
// each time would find it in 13 %.
TEST(StudiesStages, FindWhatIsNotThereInFivePercent) {
  const Study study = staged(10);
  constexpr int studies = 2'000;
  int found = 0, naive = 0;
  Random random(stream_key(1, "stages"));
  for (int repeat = 0; repeat < studies; ++repeat) {
    std::vector<double> gaps;
    for (int64_t seed = 0; seed < 10; ++seed) gaps.push_back(0.02 * random.gauss());
    found += analysed(study, gaps).contrasts[0].verdict.starts_with("different");
    bool ever = false;
    for (std::size_t n = 5; n <= 10; ++n)
      ever =
          ever || paired(std::vector<double>(gaps.begin(), gaps.begin() + static_cast<std::ptrdiff_t>(n))).p_t < 0.05;
    naive += ever;
  }
  const double size = found / static_cast<double>(studies), at_once = naive / static_cast<double>(studies);
  EXPECT_NEAR(size, 0.05, 0.015);  // three standard errors
  EXPECT_GT(at_once, 0.10);
}

}  // namespace
}  // namespace absorb
