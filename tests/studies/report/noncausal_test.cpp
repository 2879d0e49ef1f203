#include "studies/study/noncausal.h"

#include <gtest/gtest.h>

#include "studies/report/page/page.h"
#include "studies/report/text/table.h"
#include "tests/studies/synthetic.h"

namespace absorb {
namespace {

TEST(StudiesNoncausal, ArmsAndDeploymentsThatMayAreNamed) {
  Study study = synthetic::small_study();
  EXPECT_EQ(noncausal_note(study), "");
  study.arms[0].overrides = Settings::from_text("routing.attention.allow_noncausal = true", "test");
  EXPECT_TRUE(noncausal_note(study).starts_with("not causal: arm learned (attention). "));
  DeploymentSpec oracle;
  oracle.name = "oracle";
  oracle.routing = Settings::from_text("allow_noncausal = true", "test");
  study.deployments = {oracle};
  EXPECT_TRUE(noncausal_note(study).starts_with(
      "not causal: arm learned (attention), deployment oracle (attention, experts). "))
      << noncausal_note(study);
  study.deployments[0].targets = {"moe"};
  study.arms[0].targets = {"moe"};  // routes no keys
  EXPECT_TRUE(noncausal_note(study).starts_with("not causal: deployment oracle (experts). ")) << noncausal_note(study);
  study.deployments.clear();
  study.base = Settings::from_text("routing.allow_noncausal = true\nrouting.moe.allow_noncausal = false", "test");
  EXPECT_TRUE(noncausal_note(study).starts_with("not causal: arm random (attention). ")) << noncausal_note(study);
}

TEST(StudiesNoncausal, StandsAboveTableAndPage) {
  Study study = synthetic::small_study();
  study.arms[0].overrides = Settings::from_text("routing.moe.allow_noncausal = true", "test");
  const std::vector<RunRecord> records = synthetic::small_records();
  const StudyAnalysis analysis = analyse(study, records, {});
  const std::string text = print_table(study, records, analysis),
                    html = report_page({study, {}, records, analysis, {}});
  const std::string note = "NOTE: not causal: arm learned (experts).";
  EXPECT_LT(text.find(note), text.find("ARMS")) << text;
  EXPECT_LT(html.find(note), html.find("</header>"));
}

}  // namespace
}  // namespace absorb
