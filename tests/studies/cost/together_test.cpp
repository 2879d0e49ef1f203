// The clocks of runs that share a device; on a CPU they tell nothing but work the same.
#include "studies/cost/together.h"

#include "core/error.h"
#include "studies/cost/estimate.h"
#include "tests/studies/command/command_fixture.h"

namespace absorb {
namespace {

class StudyTogether : public testing::CommandTest {
 protected:
  RunPlan plan(const std::vector<std::string>& sets = {}) const {
    return plan_runs(read_study(study("", "seeds = [1]"), sets), folder / "none/runs");
  }
};

TEST_F(StudyTogether, EveryPartOfARunTakesTime) {
  const RunTimes times = run_times({plan().runs[1].settings, 20, at::kCPU, true, 2}, folder);
  for (const double seconds : {times.step, times.evaluation, times.exact_evaluation, times.checkpoint, times.build}) {
    EXPECT_GT(seconds, 0);
    EXPECT_LT(seconds, 1);
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1) << "the study's file alone";
}

TEST_F(StudyTogether, AnErrorOfOneEndsAll) {
  RunSettings run = plan().runs[0].settings;
  run.training.accumulate = 3;  // of 8 sequences
  EXPECT_THROW(step_seconds({run, 20, at::kCPU, true, 3}), UserError);
}

TEST_F(StudyTogether, AnEstimateCountsStepsAndEvaluationsAndLeavesNothing) {
  const double one = measured_seconds(plan(), at::kCPU, true, 1);
  const double longer = measured_seconds(plan({"training.steps=6000"}), at::kCPU, true, 2);
  EXPECT_GT(one, 0);
  EXPECT_GT(longer, 5 * one);
  EXPECT_FALSE(std::filesystem::exists(folder / "none"));
}

}  // namespace
}  // namespace absorb
