// `absorb tensorboard` on a study that was trained.
#include "tests/studies/command/command_fixture.h"

namespace absorb {
namespace {

using StudyTensorboard = testing::CommandTest;

TEST_F(StudyTensorboard, EveryRunGetsAnEventsFile) {
  ASSERT_EQ(run(run_arguments(study("", "seeds = [1]", 10))).status, 0);
  const std::string of_study = (folder / "runs/s").string();
  const auto written = run({"tensorboard", of_study});
  EXPECT_EQ(written.status, 0) << written.err;
  EXPECT_NE(written.out.find("3 of 3 runs written"), std::string::npos) << written.out;
  for (const char* name : {"dense", "learned.attention", "random.attention"})
    EXPECT_TRUE(
        std::filesystem::exists(folder / "runs/s" / name / "seed-1/tensorboard/events.out.tfevents.946684800.absorb"))
        << name;
  EXPECT_EQ(run({"status", of_study}).status, 0);  // the new folder disturbs nobody
  std::filesystem::remove_all(folder / "runs/s/dense");
  EXPECT_NE(run({"tensorboard", of_study}).out.find("2 of 3 runs written"), std::string::npos);
  std::filesystem::remove_all(folder / "runs/s/learned.attention");
  std::filesystem::remove_all(folder / "runs/s/random.attention");
  const auto none = run({"tensorboard", of_study});
  EXPECT_EQ(none.status, 2);
  EXPECT_NE(none.err.find("no run has metrics yet"), std::string::npos) << none.err;
  EXPECT_EQ(run({"tensorboard", (folder / "runs").string()}).status, 2);
}

}  // namespace
}  // namespace absorb
