// Kills at random moments of every command that writes into a study, with one to four workers: the same command, run
// again until it ends, gives the results of a study that nobody disturbed, to the bit.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "tests/studies/command/small_study.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

class StudyKills : public testing::SmallStudyTest {
 protected:
  using Arguments = std::vector<std::string>;
  Arguments run_into(const std::string& runs, int jobs) const {
    Arguments all = run_arguments(folder / "study.toml", runs);
    all.back() = std::to_string(jobs);
    return all;
  }
  Arguments deploy(const std::string& runs) const {
    return {"deploy", (folder / "study.toml").string(), "--runs", (folder / runs).string(), "--device", "cpu"};
  }
  Arguments report(const std::string& runs) const { return {"report", (folder / runs / "s").string()}; }
  // Kills a command `times` times at random moments of what it takes, then lets it end.
  void disturb(const Arguments& command, double seconds, int64_t times) {
    for (int64_t i = 0; i < times; ++i) {
      const pid_t pid = start(command, true);
      std::this_thread::sleep_for(std::chrono::duration<double>(1.2 * seconds * random_.uniform()));
      // The parent alone, whose workers have to die with it; or all of them at once.
      ::kill(random_.uniform() < 0.5 ? pid : -pid, SIGKILL);
      const testing::Result result = wait(pid);
      killed_ += result.status == 128 + SIGKILL ? 1 : 0;
      EXPECT_TRUE(result.status == 128 + SIGKILL || result.status == 0) << result.status << result.err;
    }
    const testing::Result whole = run(command);
    ASSERT_EQ(whole.status, 0) << command.front() << '\n' << whole.err;
  }
  double timed(const Arguments& command) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(run(command).status, 0) << command.front();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  struct Random {
    std::mt19937_64 engine;
    double uniform() { return std::uniform_real_distribution<double>(0, 1)(engine); }
  };
  Random random_{std::mt19937_64(static_cast<uint64_t>(stated("ABSORB_KILL_SEED", 1)))};
  int64_t killed_ = 0;
};

TEST_F(StudyKills, OfEveryCommandThatWritesLeaveTheSameBits) {
  // ABSORB_KILLS rounds of one kill or two a command; the tests of a change make one round.
  study("", "seeds = [1, 2]", 40);
  const std::string trained = read_file(folder / "study.toml");
  const std::string deployed =
      trained +
      "[[deployment]]\nname = \"hard\"\narms = [\"learned\"]\nrouting.selection = { type = \"top_k\", k = 2 }\n";
  const auto write = [this](const std::string& text) { std::ofstream(folder / "study.toml") << text; };
  const double run_seconds = timed(run_into("whole", 2));
  write(deployed);
  const double deploy_seconds = timed(deploy("whole"));
  const double compensate_seconds = timed(compensate("whole")), report_seconds = timed(report("whole"));
  const std::string expected = results("whole");

  const int64_t rounds = stated("ABSORB_KILLS", 1);
  for (int64_t round = 0; round < rounds; ++round) {
    fs::remove_all(folder / "tried");
    write(trained);
    disturb(run_into("tried", 1 + static_cast<int>(random_.engine() % 4)), run_seconds, 3);
    write(deployed);
    disturb(deploy("tried"), deploy_seconds, 2);
    disturb(compensate("tried"), compensate_seconds, 2);
    disturb(report("tried"), report_seconds, 1);
    ASSERT_EQ(results("tried"), expected) << "round " << round;
    ASSERT_EQ(run({"verify", (folder / "tried/s").string()}).status, 0) << "round " << round;
  }
  EXPECT_GT(killed_, 0);
  fmt::print("{} kills\n", killed_);
}

}  // namespace
}  // namespace absorb
