#include "studies/analysis/sample_size.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "statistics/power.h"
#include "tests/studies/synthetic.h"

namespace absorb {
namespace {

using synthetic::contrast;
using synthetic::small_records;
using synthetic::small_study;

/// Arms x targets x seeds of a study, with nothing resolved but what a contrast needs.
std::vector<RunRecord> plan_of(const Study& study, const std::map<std::string, std::string>& cell = {}) {
  std::vector<RunRecord> plan;
  const auto add = [&](const std::string& arm, const std::string& target) {
    for (const int64_t seed : study.settings.seeds) {
      RunRecord run;
      run.arm = arm;
      run.cell = cell;
      run.target = target;
      run.seed = seed;
      plan.push_back(run);
    }
  };
  add("dense", "dense");
  for (const std::string& target : study.settings.targets)
    for (const ArmSpec& arm : study.arms) add(arm.name, target);
  return plan;
}

std::optional<Pilot> pilot_of(const Study& study, const std::vector<RunRecord>& records) {
  return pilot_for(study, "runs/pilot", records);
}

std::string refusal(const Study& study, const std::optional<Pilot>& pilot, const SizeRequest& request = {}) {
  try {
    plan_contrasts(study, plan_of(study), pilot, request);
  } catch (const UserError& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "";
}

TEST(StudiesSampleSize, APilotGivesTheSdOfEveryContrastAndItsUpperLimit) {
  const Study study = small_study();
  const auto planned = plan_contrasts(study, plan_of(study), pilot_of(study, small_records(5)), {0.02, 0.8, 0});
  ASSERT_EQ(planned.size(), 2u);
  const PlannedContrast &attention = planned[0], &moe = planned[1];
  EXPECT_EQ(attention.contrast.target, "attention");
  EXPECT_DOUBLE_EQ(attention.alpha, 0.025);  // two primary tests: one contrast in two targets
  ASSERT_EQ(attention.by_sd.size(), 2u);
  EXPECT_NEAR(attention.by_sd[0].sd, 0.0158113883, 1e-9);  // differences 0.01 ... 0.05
  EXPECT_EQ(attention.by_sd[0].from, "pilot, n = 5");
  EXPECT_NEAR(attention.by_sd[1].sd, sd_upper_limit(0.0158113883, 5), 1e-9);
  EXPECT_EQ(attention.by_sd[1].from, "its upper 80 % limit");
  EXPECT_NEAR(moe.by_sd[0].sd, 2 * 0.0158113883, 1e-9);
  const PairedDesign design{attention.by_sd[0].sd, 0.02, 0.025, verdict_n};
  EXPECT_EQ(attention.by_sd[0].t, seeds_for_t(design, 0.8));
  EXPECT_EQ(attention.by_sd[0].tost, seeds_for_tost(design, 0.8));
  EXPECT_EQ(attention.by_sd[0].needed, std::max(*attention.by_sd[0].t, *attention.by_sd[0].tost));
  EXPECT_DOUBLE_EQ(attention.by_sd[0].own_t_power, t_power(design, 5));
  EXPECT_DOUBLE_EQ(attention.by_sd[0].own_tost_power, tost_power(design, 5));
  EXPECT_GT(moe.by_sd[0].needed, attention.by_sd[0].needed);
}

TEST(StudiesSampleSize, AStatedSdHasNoLimitAndSecondaryContrastsKeepTheirAlpha) {
  Study study = small_study();
  study.contrasts.push_back(contrast("A/A", "random", "learned", false));
  study.contrasts[1].margin_nats = 0.04;
  study.contrasts[0].positive_control = true;
  const auto planned = plan_contrasts(study, plan_of(study), std::nullopt, {0, 0.9, 1e-4});
  ASSERT_EQ(planned.size(), 4u);
  EXPECT_EQ(planned[0].by_sd.size(), 1u);
  EXPECT_EQ(planned[0].by_sd[0].from, "stated");
  EXPECT_EQ(planned[0].by_sd[0].needed, positive_control_n);
  EXPECT_DOUBLE_EQ(planned[0].alpha, 0.025);
  EXPECT_DOUBLE_EQ(planned[0].margin_nats, 0.02);  // each contrast's own
  const PlannedContrast& secondary = planned[2];
  EXPECT_EQ(secondary.contrast.name, "A/A");
  EXPECT_DOUBLE_EQ(secondary.alpha, 0.05);
  EXPECT_DOUBLE_EQ(secondary.margin_nats, 0.04);
  EXPECT_EQ(secondary.by_sd[0].needed, verdict_n);
}

TEST(StudiesSampleSize, WithoutAVarianceItSaysWhatToGive) {
  const Study study = small_study();
  EXPECT_NE(refusal(study, std::nullopt).find("a planner without a variance: give --pilot DIR"), std::string::npos);
  Study none = study;
  none.contrasts.clear();
  EXPECT_NE(refusal(none, std::nullopt, {0, 0.8, 1}).find("no contrast to plan for"), std::string::npos);
}

TEST(StudiesSampleSize, APilotThatLacksSomethingSaysWhatUnlessTheSdIsStated) {
  const Study study = small_study();
  std::vector<RunRecord> attention_alone = small_records(3);
  std::erase_if(attention_alone, [](const RunRecord& run) { return run.target == "moe"; });
  std::vector<RunRecord> equal = small_records(4);
  for (RunRecord& run : equal) run.val_loss = 1;
  const std::vector<std::pair<std::vector<RunRecord>, std::string>> cases = {
      {small_records(1), "contrast \"routing gap\" in attention has one paired seed there, and an sd needs two"},
      {attention_alone,
       "no seed of both arms \"learned\" and \"random\" is done there, which contrast \"routing gap\" in moe"},
      {{}, "no seed of both arms"},
      {equal, "the 4 paired differences of contrast \"routing gap\" in attention are all the same"}};
  for (const auto& [records, words] : cases) {
    const std::string said = refusal(study, pilot_of(study, records));
    EXPECT_TRUE(said.starts_with("runs/pilot: ")) << said;
    EXPECT_NE(said.find(words), std::string::npos) << said;
    EXPECT_NE(said.find("--sd"), std::string::npos) << said;
    EXPECT_EQ(refusal(study, pilot_of(study, records), {0, 0.8, 0.01}), "");
  }
  const auto mixed = plan_contrasts(study, plan_of(study), pilot_of(study, attention_alone), {0, 0.8, 0.01});
  EXPECT_EQ(mixed[0].by_sd[0].from, "pilot, n = 3");
  EXPECT_EQ(mixed[1].by_sd[0].from, "stated");
}

TEST(StudiesSampleSize, ACellIsServedByItsOwnPilotRunsOrByThoseOutsideAnyCell) {
  const Study study = small_study();
  const std::vector<RunRecord> plan = plan_of(study, {{"routing.router.rank", "4"}});
  const auto outside = pilot_of(study, small_records(5));
  EXPECT_EQ(plan_contrasts(study, plan, outside, {})[0].by_sd[0].from, "pilot, n = 5");
  std::vector<RunRecord> both = small_records(5), rank4 = small_records(3), rank64 = small_records(4);
  for (RunRecord& run : rank4) run.cell = {{"routing.router.rank", "4"}};
  for (RunRecord& run : rank64) run.cell = {{"routing.router.rank", "64"}};
  both.insert(both.end(), rank64.begin(), rank64.end());
  both.insert(both.end(), rank4.begin(), rank4.end());
  EXPECT_EQ(plan_contrasts(study, plan, pilot_of(study, both), {})[0].by_sd[0].from, "pilot, n = 3");
  EXPECT_THROW(plan_contrasts(study, plan, pilot_of(study, rank64), {}), UserError);
}

TEST(StudiesSampleSize, Text) {
  Study study = small_study();
  study.settings.seeds = {1, 2, 3};
  study.contrasts.push_back(contrast("A/A", "random", "learned", false));
  study.contrasts[1].margin_nats = 0.04;
  const SizeRequest request{0, 0.8, 0};
  const auto planned = plan_contrasts(study, plan_of(study), pilot_of(study, small_records(5)), request);
  const std::string text = sample_size_text(study, planned, request, {5, 100});
  EXPECT_EQ(text, read_file(Path(ABSORB_SOURCE_DIR) / "tests/studies/expected/plan.txt"));
  const SizeRequest hopeless{1e-5, 0.8, 0};
  const std::string none = sample_size_text(
      study, plan_contrasts(study, plan_of(study), pilot_of(study, small_records(5)), hopeless), hopeless, {5, 100});
  EXPECT_NE(none.find(">10,000"), std::string::npos) << none;
  EXPECT_NE(none.find("For every contrast: more than 10,000 seeds"), std::string::npos) << none;
  const SizeRequest other{0.03, 0.8, 0};
  const std::string with_margin = sample_size_text(
      study, plan_contrasts(study, plan_of(study), pilot_of(study, small_records(5)), other), other, {5, 100});
  EXPECT_NE(with_margin.find("write margin_nats = 0.03 there"), std::string::npos) << with_margin;
}

// What is made of contrasts: sds by hand from the small records, whose V_content by seed is 0.01 ... 0.05 in attention
// and 0.04 ... 0.12 in MoE.
TEST(StudiesSampleSize, SeverityAndSharesArePlannedFromAPilot) {
  Study study = small_study();
  study.arms.push_back({"redrawn", Settings::from_text("routing.frozen = true", "t"), {}});
  study.contrasts[0].redrawn = "redrawn";
  std::vector<RunRecord> records = small_records(5);
  for (const RunRecord& run : small_records(5))
    if (run.arm == "random")
      records.push_back(
          synthetic::routed("redrawn", run.target, run.seed, run.val_loss + 0.3 + (run.seed == 3 ? 0.004 : -0.001), 0));
  const Pilot pilot = pilot_for(study, "runs/pilot", records);
  const std::vector<PlannedQuantity> planned = plan_quantities(study, pilot, {0, 0.8, 0});
  const auto row = [&](const std::string& quantity, const std::string& where) {
    const auto found = std::ranges::find_if(
        planned, [&](const PlannedQuantity& each) { return each.quantity == quantity && each.where == where; });
    EXPECT_NE(found, planned.end()) << quantity << ' ' << where;
    return found == planned.end() ? PlannedQuantity{} : *found;
  };
  // gap_moe - gap_attention is 0.03, 0.04 ... 0.07: the sd of 0.01 ... 0.05.
  const PlannedQuantity gap = row("gap", "attention - moe");
  ASSERT_EQ(gap.by_sd.size(), 2U);
  EXPECT_NEAR(gap.by_sd[0].sd, 0.0158113883, 1e-9);
  EXPECT_EQ(gap.by_sd[0].t, seeds_for_t({0.0158113883, 0.02, 0.05, 5}, 0.8));
  EXPECT_NEAR(gap.own_found, smallest_found(0.0158113883, 5), 1e-9);
  EXPECT_EQ(gap.pilot_n, 5);
  // S = stable / (stable + content): the delta method's sd, by hand.
  const PlannedQuantity share = row("S", "attention");
  std::vector<double> by_seed;
  const double stable[] = {0.299, 0.299, 0.304, 0.299, 0.299}, of = 0.3 / 0.33;
  for (int i = 0; i < 5; ++i) by_seed.push_back((stable[i] - of * (stable[i] + 0.01 * (i + 1))) / 0.33);
  EXPECT_NEAR(share.by_sd[0].sd, summarize(by_seed).sd, 1e-9);
  EXPECT_EQ(share.unit, "fraction");
  EXPECT_NEAR(share.margin, margin_of_fraction, 1e-12);
  EXPECT_GT(row("R_net", "moe").by_sd[0].sd, 0);
  EXPECT_GT(row("S", "attention - moe").by_sd[0].sd, 0);
  const std::string text = quantities_text(planned, {0, 0.8, 0}, 5);
  EXPECT_NE(text.find("found by 5"), std::string::npos) << text;
  EXPECT_NE(text.find("R_net"), std::string::npos) << text;
  EXPECT_NE(quantities_text({}, {}, 5).find("--pilot"), std::string::npos);
}

}  // namespace
}  // namespace absorb
