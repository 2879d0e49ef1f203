// [tune] as its user runs it: the grid first, then the study with each arm's best; killed and taken up; refusals.
#include <nlohmann/json.hpp>

#include <chrono>
#include <thread>

#include "tests/studies/command/command_fixture.h"

namespace absorb {
namespace {

class StudyTune : public testing::CommandTest {
 protected:
  Path tuned(
      const std::string& grid = "[[tune.grid]]\nkey = \"training.learning_rate\"\nvalues = [1e-5, 1e-2]\n") const {
    return study("[tune]\nseeds = [7]\n" + grid, "seeds = [1, 2]", 40);
  }
  nlohmann::json results(const std::string& name) const {
    return nlohmann::json::parse(read_file(folder / "runs" / name / "results.json"));
  }
  double rate_of(const std::string& run) const {
    return nlohmann::json::parse(read_file(folder / "runs/s" / run / "settings.json"))
        .at("training")
        .at("learning_rate");
  }
  void refuses(const Path& file, const std::string& words) const {
    const auto result = run(run_arguments(file));
    EXPECT_EQ(result.status, 2) << result.err;
    EXPECT_NE(result.err.find(words), std::string::npos) << result.err;
    EXPECT_FALSE(std::filesystem::exists(folder / "runs"));
  }
};

TEST_F(StudyTune, TrainsTheGridAndThenEachArmAtItsBest) {
  const Path file = tuned();
  const auto dry = run(run_arguments(file, "runs", {"--dry-run"}));
  EXPECT_EQ(dry.status, 0) << dry.err;
  EXPECT_NE(dry.out.find("First the grid"), std::string::npos) << dry.out;
  const auto result = run(run_arguments(file));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("TUNED on seeds of its own, 7"), std::string::npos) << result.out;
  const nlohmann::json all = results("s");
  ASSERT_EQ(all.at("tuned").size(), 3U);  // dense, learned, random
  for (const auto& row : all.at("tuned")) {
    EXPECT_EQ(row.at("chosen"), "learning_rate 0.01") << row;  // 40 steps at 1e-5 learn nothing
    EXPECT_LT(row.at("losses")[1], row.at("losses")[0]);
  }
  EXPECT_EQ(rate_of("learned.attention/seed-1"), 0.01);
  EXPECT_FALSE(std::filesystem::exists(folder / "runs/s/learned.attention/seed-7"));
  EXPECT_EQ(results("s-tune").at("runs").size(), 6U);
  // Nothing is trained anew, and the folder explains itself.
  const auto again = run(run_arguments(file));
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.out, result.out);
  EXPECT_EQ(run({"report", (folder / "runs/s").string()}).out, result.out);
  EXPECT_EQ(run({"verify", (folder / "runs/s").string()}).status, 0);
}

TEST_F(StudyTune, GoesOnAfterKillsWithTheSameResults) {
  const Path file = tuned();
  ASSERT_EQ(run(run_arguments(file, "whole")).status, 0);
  for (const int milliseconds : {400, 900, 1500}) {
    const pid_t pid = start(run_arguments(file, "runs", {"--jobs", "2"}), true);
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    ::kill(-pid, SIGKILL);
    wait(pid);
  }
  ASSERT_EQ(run(run_arguments(file)).status, 0);
  const auto losses = [](const nlohmann::json& all) {
    std::vector<double> out;
    for (const auto& one : all.at("runs")) out.push_back(one.at("val_loss"));
    return out;
  };
  const nlohmann::json whole = nlohmann::json::parse(read_file(folder / "whole/s/results.json"));
  EXPECT_EQ(losses(results("s")), losses(whole));
  EXPECT_EQ(results("s").at("tuned"), whole.at("tuned"));
}

TEST_F(StudyTune, RefusesWhatMakesNoSense) {
  refuses(study("[tune]\nseeds = [2]\n[[tune.grid]]\nkey = \"training.learning_rate\"\nvalues = [1e-3]\n"),
          "seed 2 is one of the study's own");
  refuses(tuned("[[tune.grid]]\nkey = \"training.batch\"\nvalues = [8]\n[[axis]]\nkey = \"training.batch\"\nvalues = "
                "[8, 16]\n"),
          "`training.batch` is an axis");
  refuses(tuned("[[tune.grid]]\nkey = \"routing.frozen\"\nvalues = [true]\n"),
          "arm \"random\" sets `routing.frozen` itself");
  refuses(tuned("[[tune.grid]]\nkey = \"study.match\"\nvalues = [\"none\"]\n"), "can't be tuned");
  refuses(tuned(""), "needs a grid");
  refuses(tuned("grids = 1\n"), "unknown key `grids`");
  const auto deploy = run({"deploy", tuned().string(), "--runs", (folder / "runs").string(), "--device", "cpu"});
  EXPECT_EQ(deploy.status, 2);
  EXPECT_NE(deploy.err.find("its grid isn't trained yet"), std::string::npos) << deploy.err;
}

}  // namespace
}  // namespace absorb
