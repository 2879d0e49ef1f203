// absorb plan and absorb diff from the command line, over run folders that nothing was trained for.
#include "studies/plan/plan.h"
#include "tests/studies/command/command_fixture.h"
#include "tests/studies/synthetic_folder.h"

namespace absorb {
namespace {

class StudiesCommandThatLooks : public testing::CommandTest {
 protected:
  /// The fixture's study with all its runs finished, below `runs`. Gaps of 0.01 nats x seed.
  Path finished(const Path& file, const std::string& runs) const {
    const RunPlan plan = plan_runs(read_study(file), folder / runs);
    for (const RunSpec& spec : plan.runs) {
      const auto seed = static_cast<double>(spec.settings.seed);
      const double loss = 1.5 + 0.002 * seed + (spec.arm == "random" ? 0.01 * seed : 0);
      RunRecord record = synthetic::run(spec.arm, spec.settings.target, spec.settings.seed, loss);
      synthetic::dress(record, seed);
      record.folder = spec.folder;
      synthetic::write_run(record, write_run_settings(spec.settings));
    }
    write_file(plan.folder / "study.toml", read_file(file));
    return plan.folder;
  }
  void refused(const std::vector<std::string>& arguments, const std::string& words) const {
    const testing::Result result = run(arguments);
    EXPECT_EQ(result.status, 2) << words << '\n' << result.out;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_NE(result.err.find(words), std::string::npos) << "expected: " << words << "\ngot: " << result.err;
  }
};

TEST_F(StudiesCommandThatLooks, PlanTakesAPilotOrAnSd) {
  const std::string file = study("", "seeds = [1, 2, 3]").string();
  const std::string pilot = finished(file, "pilot").string();
  const auto planned = run({"plan", file, "--margin-nats", "0.02", "--power", "0.8", "--pilot", pilot});
  EXPECT_EQ(planned.status, 0) << planned.err;
  for (const char* words : {"attention  0.0100  pilot, n = 3", "its upper 80 % limit", "WHAT n = 3 CAN DECIDE",
                            "none below n = 5", "For every contrast: n = ", "The study file has 3 seeds"})
    EXPECT_NE(planned.out.find(words), std::string::npos) << words << '\n' << planned.out;
  EXPECT_EQ(planned.out.find("NOTE"), std::string::npos) << planned.out;
  const auto longer = run({"plan", file, "--pilot", pilot, "--set", "training.steps=600"});
  EXPECT_NE(longer.out.find("its sd need not hold here: training.steps: 60 ->"), std::string::npos) << longer.out;
  const auto stated = run({"plan", file, "--sd", "0.01"});
  EXPECT_EQ(stated.status, 0) << stated.err;
  EXPECT_NE(stated.out.find("stated"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder / "runs"));
}

TEST_F(StudiesCommandThatLooks, PlanRefusesWhatItCannotPlanWith) {
  const std::string file = study("", "seeds = [1]").string();
  const std::string pilot = finished(file, "pilot").string();
  refused({"plan", file}, "a planner without a variance");
  refused({"plan", file, "--sd", "0.01", "--margin-nats", "0"},
          "--margin-nats must be above 0 nats per token but got 0");
  refused({"plan", file, "--sd", "-1"}, "--sd must be above 0 nats per token but got -1");
  refused({"plan", file, "--sd", "0.01", "--power", "1"}, "--power must be between 0 and 1, such as 0.8, but got 1");
  refused({"plan", file, "--pilot", (folder / "none").string()}, "there is no such folder");
  refused({"plan", file, "--pilot", pilot}, "has one paired seed there, and an sd needs two");
}

TEST_F(StudiesCommandThatLooks, DiffComparesTwoRunsOrTwoStudies) {
  const std::string a = finished(study("", "seeds = [1, 2]"), "a").string();
  const std::string b = finished(study("", "seeds = [1, 2]", 80), "b").string();
  const auto runs = run({"diff", a + "/learned.attention/seed-1", a + "/random.attention/seed-1"});
  EXPECT_EQ(runs.status, 0) << runs.err;
  EXPECT_NE(runs.out.find("frozen: false -> true"), std::string::npos) << runs.out;
  EXPECT_NE(runs.out.find("B - A +0.0100"), std::string::npos) << runs.out;
  const auto studies = run({"diff", a, b});
  EXPECT_EQ(studies.status, 0) << studies.err;
  EXPECT_NE(studies.out.find("training.steps: 60 -> 80\n"), std::string::npos) << studies.out;
  EXPECT_NE(studies.out.find("attention  random   2"), std::string::npos) << studies.out;
  refused({"diff", a, b + "/dense/seed-1"}, "is a study's folder and");
  refused({"diff", (folder / "a").string(), b}, "is neither a study's folder (no study.toml) nor that of a run");
  refused({"diff", a, (folder / "none").string()}, "there is no such folder");
  std::filesystem::remove(Path(a) / "dense/seed-1/DONE");
  refused({"diff", a + "/dense/seed-1", b + "/dense/seed-1"}, "a/s/dense/seed-1: isn't done (");
}

}  // namespace
}  // namespace absorb
