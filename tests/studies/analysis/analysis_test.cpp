#include "studies/analysis/analysis.h"

#include <gtest/gtest.h>

#include "tests/studies/synthetic.h"

namespace absorb {
namespace {

using synthetic::contrast;
using synthetic::dense;
using synthetic::routed;
using synthetic::small_records;
using synthetic::small_study;

const ContrastResult& in_target(const StudyAnalysis& analysis, const std::string& target) {
  for (const ContrastResult& row : analysis.contrasts)
    if (row.target == target) return row;
  throw std::runtime_error("no contrast in " + target);
}

StudyAnalysis small_analysis(int64_t seeds = 5) {
  return analyse(small_study(), small_records(seeds), {"routing gap"});
}

TEST(StudiesAnalysis, GapsArePairedAndHolmAdjustsOverTargets) {
  const StudyAnalysis analysis = small_analysis();
  ASSERT_EQ(analysis.contrasts.size(), 2u);
  const ContrastResult &attention = in_target(analysis, "attention"), &moe = in_target(analysis, "moe");
  // Differences 0.01 ... 0.05: mean 0.03, sd sqrt(2.5e-4), t = 4.2426 with 4 degrees of freedom.
  EXPECT_NEAR(attention.paired.mean, 0.03, 1e-12);
  EXPECT_NEAR(attention.paired.sd, 0.0158113883, 1e-9);
  EXPECT_NEAR(attention.paired.ci95->low, 0.03 - 2.7764451 * 0.00707106781, 1e-8);
  EXPECT_NEAR(attention.paired.p_t, 0.0132356, 1e-6);
  EXPECT_NEAR(moe.paired.p_t, 0.0048125, 1e-6);
  EXPECT_DOUBLE_EQ(moe.holm_p, 2 * moe.paired.p_t);  // the smaller of two
  EXPECT_DOUBLE_EQ(attention.holm_p, attention.paired.p_t);
  EXPECT_DOUBLE_EQ(attention.paired.p_sign_flip, 0.0625);
  EXPECT_EQ(attention.verdict, "different");
}

TEST(StudiesAnalysis, AbsorbedFractionComesFromTheTreatmentsSwap) {
  const StudyAnalysis analysis = small_analysis();
  EXPECT_NEAR(in_target(analysis, "attention").swap_cost.mean, 0.198, 1e-12);
  EXPECT_NEAR(in_target(analysis, "attention").absorbed.value, 1 - 0.03 / 0.198, 1e-12);
  EXPECT_NEAR(in_target(analysis, "moe").absorbed.value, 1 - 0.08 / 0.398, 1e-12);
  std::vector<RunRecord> records = small_records();
  for (RunRecord& run : records) run.evaluations.erase("swap");
  const StudyAnalysis without = analyse(small_study(), records, {"routing gap"});
  EXPECT_EQ(without.contrasts[0].absorbed.why_undefined, "no swap was evaluated");
  EXPECT_EQ(without.severity[0].verdict, "undecided (R undefined)");
}

TEST(StudiesAnalysis, SeedsArePairedByIntersectionAndFailedRunsAreAbsent) {
  std::vector<RunRecord> records = small_records();
  records[1].state = "failed";                 // learned, attention, seed 1
  records.erase(records.begin() + 5 * 3 + 2);  // random, attention, seed 4
  const StudyAnalysis analysis = analyse(small_study(), records, {"routing gap"});
  EXPECT_EQ(in_target(analysis, "attention").seeds, (std::vector<int64_t>{2, 3, 5}));
  EXPECT_NEAR(in_target(analysis, "attention").paired.mean, (0.02 + 0.03 + 0.05) / 3, 1e-12);
  EXPECT_EQ(in_target(analysis, "attention").verdict, "undecided (n)");
  EXPECT_EQ(analysis.severity[0].n, 3);
  for (const ArmSummary& arm : analysis.arms)
    EXPECT_EQ(arm.failed, arm.target == "attention" && arm.arm == "learned" ? 1 : 0);
}

TEST(StudiesAnalysis, ThePositiveControlAloneDecidesWithThreeSeeds) {
  Study study = small_study();
  std::vector<RunRecord> records = small_records(3);  // moe: p = 0.035
  std::erase_if(records, [](const RunRecord& run) { return run.target == "attention"; });
  EXPECT_EQ(analyse(study, records, {"routing gap"}).contrasts.at(0).verdict, "undecided (n)");
  study.contrasts[0].positive_control = true;
  EXPECT_EQ(analyse(study, records, {"routing gap"}).contrasts.at(0).verdict, "different");
}

TEST(StudiesAnalysis, ContrastsAddedLaterStayOutsideHolm) {
  Study study = small_study();
  study.contrasts.push_back(contrast("later", "random", "learned"));
  const StudyAnalysis analysis = analyse(study, small_records(), {"routing gap"});
  ASSERT_EQ(analysis.contrasts.size(), 4u);
  EXPECT_TRUE(analysis.contrasts[2].exploratory);
  EXPECT_TRUE(std::isnan(analysis.contrasts[2].holm_p));
  EXPECT_NEAR(analysis.contrasts[2].paired.mean, -0.03, 1e-12);
  EXPECT_DOUBLE_EQ(analysis.contrasts[1].holm_p, 2 * analysis.contrasts[1].paired.p_t);
}

std::vector<RunRecord> with_random_cost(bool matters) {
  std::vector<RunRecord> records = small_records();
  for (RunRecord& run : records) {
    const double noise = run.seed % 2 == 0 ? 0.01 : -0.01;
    if (run.target == "dense") run.evaluations["random_top_k"] = run.val_loss + (matters ? 0.1 : 0) + noise;
  }
  return records;
}

TEST(StudiesAnalysis, NoVerdictOnAttentionWhereMasksDoNotMatter) {
  EXPECT_EQ(in_target(analyse(small_study(), with_random_cost(true), {"routing gap"}), "attention").verdict,
            "different");
  const StudyAnalysis analysis = analyse(small_study(), with_random_cost(false), {"routing gap"});
  EXPECT_EQ(analysis.concentration.at(0).masks, Masks::do_not_matter);
  EXPECT_EQ(in_target(analysis, "attention").verdict, "undecided (masks do not matter here)");
  EXPECT_EQ(in_target(analysis, "moe").verdict, "different");
  EXPECT_EQ(analysis.severity.at(0).verdict, "undecided (masks do not matter here)");
  std::vector<RunRecord> noisy = with_random_cost(false);
  for (RunRecord& run : noisy)
    if (run.target == "dense") run.evaluations["random_top_k"] += run.seed % 2 == 0 ? 0.2 : -0.1;
  EXPECT_EQ(in_target(analyse(small_study(), noisy, {"routing gap"}), "attention").verdict,
            "undecided (it can't be said whether masks matter)");
  std::vector<RunRecord> records = small_records();
  std::erase_if(records, [](const RunRecord& run) { return run.target == "dense"; });
  EXPECT_EQ(in_target(analyse(small_study(), records, {"routing gap"}), "attention").verdict,
            "undecided (no dense arm says whether masks matter)");
}

TEST(StudiesAnalysis, SeverityNeedsBothScalesOfTheSameSign) {
  const StudyAnalysis analysis = small_analysis();
  ASSERT_EQ(analysis.severity.size(), 2u);
  EXPECT_EQ(analysis.severity[0].quantity, "gap");
  EXPECT_NEAR(analysis.severity[0].mean, 0.05, 1e-12);
  EXPECT_NEAR(analysis.severity[1].mean, 0.08 / 0.398 - 0.03 / 0.198, 1e-12);
  EXPECT_EQ(analysis.severity[0].verdict, "different");
  EXPECT_EQ(analysis.severity[1].verdict, "different");
  std::vector<RunRecord> records = small_records();
  for (RunRecord& run : records)
    if (run.target == "moe" && run.arm == "learned") run.evaluations["swap"] += 1;
  const StudyAnalysis turned = analyse(small_study(), records, {"routing gap"});
  EXPECT_LT(turned.severity[1].mean, 0);
  EXPECT_EQ(turned.severity[0].verdict, "scale-dependent");
}

TEST(StudiesAnalysis, WithinBothIsATwoByTwo) {
  std::vector<RunRecord> records = small_records();
  for (int64_t seed = 1; seed <= 5; ++seed) {
    const double base = 1.5 + 0.01 * static_cast<double>(seed), wobble = seed % 2 == 0 ? 0.001 : -0.001;
    RunRecord ll = routed("learned", "both", seed, base, 0.6);
    ll.evaluations["swap_attention"] = base + 0.3 + wobble;
    ll.evaluations["swap_moe"] = base + 0.4 + wobble;
    records.push_back(ll);
    records.push_back(routed("rl", "both", seed, base + 0.03 + wobble, 0.1));
    records.push_back(routed("lr", "both", seed, base + 0.10, 0.1));
    records.push_back(routed("random", "both", seed, base + 0.17, 0.1));
  }
  const StudyAnalysis analysis =
      analyse(small_study(), records, {"routing gap"}, TwoByTwo{"learned", "rl", "lr", "random"});
  std::map<std::string, double> mean;
  for (const SeverityResult& row : analysis.severity)
    if (row.between == "within both") mean[row.quantity] = row.mean;
  ASSERT_EQ(mean.size(), 5u);
  const double wobble = -0.0002;  // mean of the five
  EXPECT_NEAR(mean["gap_attention"], 0.5 * (0.03 + wobble + 0.07), 1e-12);
  EXPECT_NEAR(mean["gap_moe"], 0.5 * (0.10 + 0.14 - wobble), 1e-12);
  EXPECT_NEAR(mean["interaction"], 0.17 - 0.03 - wobble - 0.10, 1e-12);
  EXPECT_NEAR(mean["gap"], mean["gap_moe"] - mean["gap_attention"], 1e-12);
  EXPECT_NEAR(mean["R"], mean["gap_moe"] / (0.4 + wobble) - mean["gap_attention"] / (0.3 + wobble), 1e-12);
}

TEST(StudiesAnalysis, ContrastsAreMadeInEachCellAndAgainstDense) {
  Study study = small_study();
  study.contrasts.push_back(contrast("price", "dense", "learned", false));
  std::vector<RunRecord> records;
  for (const std::string rank : {"4", "16"}) {
    for (RunRecord& run : small_records()) {
      if (run.target == "dense" && rank == "16") continue;  // no axis touches the dense arm
      if (run.target != "dense") run.cell = {{"routing.router.rank", rank}};
      if (run.arm == "random" && rank == "16") run.val_loss += 0.5;
      records.push_back(run);
    }
  }
  const StudyAnalysis analysis = analyse(study, records, {"routing gap", "price"});
  ASSERT_EQ(analysis.contrasts.size(), 8u);
  EXPECT_NEAR(analysis.contrasts[0].paired.mean, 0.03, 1e-12);
  EXPECT_NEAR(analysis.contrasts[1].paired.mean, 0.53, 1e-12);
  EXPECT_EQ(analysis.contrasts[1].cell.at("routing.router.rank"), "16");
  EXPECT_EQ(analysis.contrasts[4].name, "price");
  EXPECT_EQ(analysis.contrasts[4].target, "attention");
  EXPECT_NEAR(analysis.contrasts[4].paired.mean, 0.1, 1e-12);
  EXPECT_EQ(analysis.severity.size(), 4u);  // of the random twins alone: two cells x two scales
}

TEST(StudiesAnalysis, DocumentsGiveAnIntervalOnlyWhereAllRunsReadTheSame) {
  std::vector<RunRecord> records = small_records();
  for (RunRecord& run : records) {
    run.documents = {7, 8, 9};
    run.document_tokens = {100, 200, 0};
    run.document_losses = {100 * (run.val_loss + 0.1), 200 * (run.val_loss - 0.05), 0};
  }
  StudyAnalysis analysis = analyse(small_study(), records, {"routing gap"});
  ASSERT_TRUE(analysis.contrasts[0].ci95_documents);
  EXPECT_TRUE(analysis.contrasts[0].ci95_documents->contains(0.03));
  records[1].documents[0] = 6;
  analysis = analyse(small_study(), records, {"routing gap"});
  EXPECT_FALSE(analysis.contrasts[0].ci95_documents);
  EXPECT_TRUE(analysis.contrasts[1].ci95_documents);
}

TEST(StudiesAnalysis, NothingDoneIsNoError) {
  EXPECT_TRUE(analyse(small_study(), {}, {}).contrasts.empty());
  std::vector<RunRecord> records = small_records(1);
  for (RunRecord& run : records) run.state = "waiting";
  const StudyAnalysis analysis = analyse(small_study(), records, {"routing gap"});
  EXPECT_EQ(analysis.contrasts.at(0).paired.n, 0);
  EXPECT_EQ(analysis.contrasts.at(0).verdict, "undecided (n)");
}

}  // namespace
}  // namespace absorb
