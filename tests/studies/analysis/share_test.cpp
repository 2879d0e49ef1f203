// The absorbed share, R_net and claims from records whose answers are known by hand.
#include <gtest/gtest.h>

#include "studies/analysis/wording.h"
#include "tests/studies/synthetic.h"

namespace absorb {
namespace {

Study with_redrawn() {
  Study study = synthetic::small_study();
  study.arms.push_back(
      {"redrawn", Settings::from_text("routing.frozen = true\nrouting.choose.redraw_every = 1", "t"), {}});
  study.contrasts[0].redrawn = "redrawn";
  return study;
}

// V_content by seed: attention 1 ... 5 hundredths of a nat, moe 4, 6 ... 12 (small_records); V_stable as given, with a
// wobble that sums to 0 over five seeds.
std::vector<RunRecord> records_with(double attention, double moe, int64_t seeds = 5) {
  std::vector<RunRecord> records = synthetic::small_records(seeds);
  const std::vector<RunRecord> before = records;
  for (const RunRecord& run : before) {
    if (run.arm != "random") continue;
    const double wobble = 0.001 * static_cast<double>(run.seed - 3);
    records.push_back(synthetic::routed("redrawn", run.target, run.seed,
                                        run.val_loss + (run.target == "attention" ? attention : moe) + wobble, 0));
  }
  return records;
}

StudyAnalysis analysed(const Study& study, const std::vector<RunRecord>& records) {
  return analyse(study, records, {"routing gap"});
}

const SeverityResult& severity(const StudyAnalysis& analysis, const std::string& quantity) {
  return *std::ranges::find(analysis.severity, quantity, &SeverityResult::quantity);
}

TEST(StudiesShare, IsStableOverStableAndContent) {
  const StudyAnalysis analysis = analysed(with_redrawn(), records_with(0.03, 0.72));
  const ContrastResult &attention = analysis.contrasts[0], &moe = analysis.contrasts[1];
  EXPECT_NEAR(attention.paired.mean, 0.03, 1e-12);
  EXPECT_NEAR(attention.stable.mean, 0.03, 1e-12);
  EXPECT_NEAR(attention.share.value, 0.5, 1e-12);
  EXPECT_NEAR(moe.share.value, 0.72 / 0.80, 1e-12);
  EXPECT_NEAR(severity(analysis, "S").mean, 0.5 - 0.9, 1e-12);
  EXPECT_NEAR(severity(analysis, "stable").mean, 0.03 - 0.72, 1e-12);
  EXPECT_EQ(severity(analysis, "stable").verdict, "different");
  ASSERT_EQ(absorption_sentences(analysis).size(), 1U);
  const std::string sentence = absorption_sentences(analysis)[0];
  EXPECT_NE(sentence.find("of what a fixed router is worth to training, 0.50 needs no content in attention, against "
                          "0.90 in MoE"),
            std::string::npos)
      << sentence;
  EXPECT_TRUE(sentence.starts_with("Attention absorbs less than MoE")) << sentence;
}

TEST(StudiesShare, SaysWhatItCouldHaveFound) {
  std::vector<RunRecord> records = records_with(0.03, 0.08);
  for (RunRecord& run : records)
    if (run.arm == "redrawn" && run.target == "attention") run.val_loss += run.seed % 2 == 0 ? 0.02 : -0.02;
  const StudyAnalysis analysis = analysed(with_redrawn(), records);
  const SeverityResult& row = severity(analysis, "S");
  EXPECT_EQ(row.verdict, "undecided");
  EXPECT_GT(row.smallest_found, 0.05);
  EXPECT_NE(absorption_sentences(analysis)[0].find("can't be said (undecided)"), std::string::npos);
  EXPECT_NE(absorption_sentences(analysis)[0].find("80 % power is " + number(row.smallest_found, 2)),
            std::string::npos);
}

TEST(StudiesShare, IsUndefinedWhereRoutingIsWorthNothing) {
  std::vector<RunRecord> records = records_with(0.03, 0.72);
  for (RunRecord& run : records)
    if (run.target == "attention" && run.arm == "redrawn")
      run.val_loss -= 0.06 + 0.01 * static_cast<double>(run.seed % 2);
  const StudyAnalysis analysis = analysed(with_redrawn(), records);
  EXPECT_FALSE(analysis.contrasts[0].share.ci);
  EXPECT_NE(analysis.contrasts[0].share.why_undefined.find("within its noise"), std::string::npos);
  EXPECT_EQ(severity(analysis, "S").verdict, "undecided (S undefined)");
}

TEST(StudiesShare, NeedsTheSeedsOfAllThreeArms) {
  std::vector<RunRecord> records = records_with(0.03, 0.72);
  std::erase_if(records, [](const RunRecord& run) { return run.arm == "redrawn" && run.seed == 5; });
  const StudyAnalysis analysis = analysed(with_redrawn(), records);
  EXPECT_EQ(analysis.contrasts[0].paired.n, 5);
  EXPECT_EQ(analysis.contrasts[0].stable.n, 4);
  EXPECT_EQ(severity(analysis, "S").n, 4);
  EXPECT_EQ(severity(analysis, "S").verdict, "undecided (n)");
}

// Swap costs: treatment 0.2 +- 0.01, control 0.01, so that content costs 0.19 and R_net = 1 - 0.03 / 0.188.
TEST(StudiesNet, DividesByWhatContentIsWorth) {
  const StudyAnalysis analysis = analysed(synthetic::small_study(), synthetic::small_records());
  const ContrastResult& row = analysis.contrasts[0];
  EXPECT_TRUE(row.twin);
  EXPECT_NEAR(row.lock_in.mean, 0.01, 1e-12);
  EXPECT_NEAR(row.content_cost.mean, row.swap_cost.mean - 0.01, 1e-12);
  EXPECT_NEAR(row.net.value, 1 - 0.03 / (row.swap_cost.mean - 0.01), 1e-12);
  EXPECT_LT(row.net.value, row.absorbed.value);
}

TEST(StudiesNet, ExistsForRandomTwinsAlone) {
  const auto twin = [](const std::string& one, const std::string& other) {
    Study study = synthetic::small_study();
    study.arms[0].overrides = Settings::from_text(one, "t");
    study.arms[1].overrides = Settings::from_text(other, "t");
    return analyse(study, synthetic::small_records(), {}).contrasts[0].twin;
  };
  EXPECT_TRUE(twin("", "routing.frozen = true"));
  EXPECT_TRUE(
      twin("routing.moe.losses.load_balance = 0.01", "routing.attention.frozen = true\nrouting.moe.frozen = true"));
  EXPECT_TRUE(twin("routing.router.rank = 4", "routing.router.rank = 4\nrouting.frozen = true\nrouting.draw = 1"));
  EXPECT_FALSE(twin("", ""));                                                              // two learned arms
  EXPECT_FALSE(twin("routing.frozen = true", "routing.frozen = true\nrouting.draw = 1"));  // A/A
  EXPECT_FALSE(twin("", "routing.moe.frozen = true"));                                     // not in attention
  EXPECT_FALSE(twin("routing.router.rank = 4", "routing.frozen = true"));                  // another router
  EXPECT_FALSE(twin("", "routing.frozen = true\nrouting.choose.redraw_every = 1"));        // not one draw
  Study dense = synthetic::small_study();
  dense.contrasts[0].control = "dense";
  const ContrastResult against = analyse(dense, synthetic::small_records(), {}).contrasts.at(0);
  EXPECT_FALSE(against.twin);
  EXPECT_NE(against.absorbed.why_undefined.find("random twin"), std::string::npos);
}

ClaimSpec claim(const std::string& where, const std::string& quantity, const std::string& direction, double than = 0) {
  ClaimSpec spec;
  spec.says = "It is so.";
  spec.contrast = "routing gap";
  spec.where = where;
  spec.quantity = quantity;
  spec.direction = direction;
  spec.than = than;
  return spec;
}

TEST(StudiesClaims, AreDecidedByTheRowTheyName) {
  const auto verdict_of = [](const ClaimSpec& spec, int64_t seeds = 5) {
    Study study = with_redrawn();
    study.claims = {spec};
    return analysed(study, records_with(0.03, 0.72, seeds)).claims.at(0).verdict;
  };
  EXPECT_EQ(verdict_of(claim("severity", "S", "above")), "contradicted");
  EXPECT_EQ(verdict_of(claim("severity", "S", "below")), "supported");
  EXPECT_EQ(verdict_of(claim("severity", "V_stable", "below")), "supported");
  EXPECT_EQ(verdict_of(claim("moe", "S", "above", 0.5)), "supported");
  EXPECT_EQ(verdict_of(claim("attention", "gap", "above")), "supported");
  EXPECT_EQ(verdict_of(claim("attention", "S", "above", 0.5)), "undecided");
  EXPECT_EQ(verdict_of(claim("attention", "gap", "tie")), "undecided");
  EXPECT_EQ(verdict_of(claim("moe", "V_stable", "tie")), "contradicted");
  EXPECT_EQ(verdict_of(claim("moe", "V_stable", "tie", 0.72)), "supported");
  EXPECT_EQ(verdict_of(claim("moe", "S", "above", 0.5), 4), "undecided (n)");
}

TEST(StudiesClaims, StatedAfterwardsSaySo) {
  Study study = with_redrawn();
  study.claims = {claim("moe", "S", "above", 0.5)};
  const std::vector<RunRecord> records = records_with(0.03, 0.72);
  EXPECT_TRUE(analysed(study, records).claims[0].exploratory);
  EXPECT_FALSE(analyse(study, records, {"routing gap"}, std::nullopt, {"It is so."}).claims[0].exploratory);
}

// Two contrasts of one treatment: S is 0.5 and 0.75, exactly in every seed, so that their difference is -0.25.
TEST(StudiesClaims, ADifferenceOfTwoContrastsIsPairedBySeed) {
  Study study = with_redrawn();
  study.arms.push_back({"redrawn more", study.arms.back().overrides, {}});
  ContrastSpec more = study.contrasts[0];
  more.name = "more";
  more.redrawn = "redrawn more";
  study.contrasts.push_back(more);
  std::vector<RunRecord> records = synthetic::small_records(5);
  for (const RunRecord& run : synthetic::small_records(5))
    if (run.arm == "random" && run.target == "attention") {
      const double content = 0.01 * static_cast<double>(run.seed);
      records.push_back(synthetic::routed("redrawn", run.target, run.seed, run.val_loss + content, 0));
      records.push_back(synthetic::routed("redrawn more", run.target, run.seed, run.val_loss + 3 * content, 0));
    }
  ClaimSpec claim;
  claim.says = "Less.";
  claim.contrast = study.contrasts[0].name;
  claim.minus = "more";
  claim.where = "attention";
  claim.quantity = "S";
  claim.direction = "below";
  ClaimSpec stable = claim;  // 0.01 seed less 0.03 seed
  stable.quantity = "V_stable";
  study.claims = {claim, stable};
  const StudyAnalysis analysis = analysed(study, records);
  EXPECT_NEAR(analysis.claims[0].value, 0.5 - 0.75, 1e-12);
  EXPECT_EQ(analysis.claims[0].n, 5);
  EXPECT_NEAR(analysis.claims[1].value, -0.06, 1e-12);
  EXPECT_EQ(analysis.claims[1].verdict, "supported");
  EXPECT_NE(grounds(analysis.claims[1]).find("less \"more\""), std::string::npos);
}

TEST(StudiesShare, TheIndexIsOneLessTheGapOverWhatRandomRoutingCosts) {
  Study study = synthetic::small_study();
  study.arms.push_back({"always", Settings::from_text("routing.selection.type = 'always'", "t"), {}});
  study.contrasts[0].always = "always";
  std::vector<RunRecord> records = synthetic::small_records(5);
  for (const RunRecord& run : synthetic::small_records(5))
    if (run.arm == "random") records.push_back(synthetic::run("always", run.target, run.seed, run.val_loss - 0.12));
  const StudyAnalysis analysis = analysed(study, records);
  EXPECT_NEAR(analysis.contrasts[0].index.value, 1 - 0.03 / 0.12, 1e-12);
  EXPECT_NEAR(analysis.contrasts[1].index.value, 1 - 0.08 / 0.12, 1e-12);
  study.contrasts[0].always = "";
  EXPECT_EQ(analysed(study, records).contrasts[0].index.why_undefined, "no arm `always`");
}

TEST(StudiesShare, SaysWhereASwapIsWorseThanChance) {
  const Study study = synthetic::small_study();
  std::vector<RunRecord> records = synthetic::small_records(5);  // learned: 1.5 nats, swapped 1.7 in attention
  for (RunRecord& run : records) run.chance = 1.8;
  EXPECT_FALSE(analysed(study, records).contrasts[0].swapped_below_chance);
  EXPECT_TRUE(analysed(study, records).contrasts[1].swapped_below_chance);  // 1.9 in MoE
  for (RunRecord& run : records) run.chance = 1.4;                          // no better than chance without a swap
  EXPECT_FALSE(analysed(study, records).contrasts[1].swapped_below_chance);
}

}  // namespace
}  // namespace absorb
