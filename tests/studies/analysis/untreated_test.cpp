// A treatment whose trainable router never had a gradient is none: no verdict, no absorbed fraction, and a line why.
#include <gtest/gtest.h>

#include "studies/analysis/wording.h"
#include "tests/studies/synthetic.h"

namespace absorb {
namespace {

// small_records() with accounts: the norm of the gradient of attention's routers in the arm learned.
StudyAnalysis with_norm(double norm, bool routers_train = true) {
  std::vector<RunRecord> records = synthetic::small_records();
  for (RunRecord& run : records)
    for (const int64_t step : {1, 10})
      if (run.arm == "learned" && routers_train)
        run.accounts.push_back(
            {step, {{"grad_norm/attention_router", run.target == "attention" ? norm : 0.5}, {"grad_norm/q", 1.0}}, {}});
  return analyse(synthetic::small_study(), records, {"routing gap"});
}

TEST(StudiesUntreated, GetsNoVerdictAndALineThatSaysWhy) {
  const StudyAnalysis analysis = with_norm(0);
  ASSERT_EQ(analysis.contrasts.size(), 2U);
  const ContrastResult &attention = analysis.contrasts[0], &moe = analysis.contrasts[1];
  EXPECT_EQ(attention.verdict, "no treatment");
  EXPECT_FALSE(attention.absorbed.ci.has_value());
  EXPECT_NE(attention.absorbed.why_undefined.find("never had a gradient"), std::string::npos);
  EXPECT_NE(attention.absorbed.why_undefined.find("selection.weight"), std::string::npos);
  EXPECT_EQ(moe.verdict, "different");
  EXPECT_DOUBLE_EQ(moe.holm_p, moe.paired.p_t);  // alone in its family
  for (const SeverityResult& row : analysis.severity)
    if (row.between == "attention - moe") EXPECT_EQ(row.verdict, "no treatment") << row.quantity;
}

TEST(StudiesUntreated, IsNotSaidOfWhatHasAGradientOrIsFrozen) {
  EXPECT_EQ(with_norm(1e-9).contrasts[0].verdict, "different");
  EXPECT_EQ(with_norm(0, false).contrasts[0].verdict, "different");  // no account of routers: none trains
}

}  // namespace
}  // namespace absorb
