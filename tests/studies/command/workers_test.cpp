// Worker processes that die, and the log of a study, from the command line.
#include <regex>
#include <sstream>
#include <thread>

#include "tests/studies/command/command_fixture.h"

namespace absorb {
namespace {

class StudyWorkers : public testing::CommandTest {
 protected:
  /// Processes that `parent` started.
  static std::vector<pid_t> children(pid_t parent) {
    std::vector<pid_t> out;
    const std::string task = std::to_string(parent);
    std::ifstream list("/proc/" + task + "/task/" + task + "/children");
    for (pid_t child = 0; list >> child;) out.push_back(child);
    return out;
  }
  /// The command with two workers, as soon as both have begun a run.
  std::pair<pid_t, std::vector<pid_t>> two_at_work(const Path& file) const {
    std::vector<std::string> arguments = run_arguments(file);
    arguments.back() = "2";
    const pid_t command = start(arguments);
    const auto begun = [&] {
      int claims = 0;
      std::error_code error;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "runs", error))
        claims += entry.path().filename() == "checkpoints" ? 1 : 0;
      return claims >= 2;
    };
    for (int i = 0; i < 600 && !begun(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return {command, children(command)};
  }
  std::string log() const { return read_file(folder / "runs/s/absorb.log"); }
};

TEST_F(StudyWorkers, ADeadOneIsReportedAndItsRunFinishedByTheOther) {
  const auto [command, workers] = two_at_work(study("", "seeds = [1]", 600));
  ASSERT_EQ(workers.size(), 2U);
  ::kill(workers[0], SIGKILL);
  const testing::Result result = wait(command);
  EXPECT_EQ(result.status, 0) << result.err;
  const std::string death = "worker process " + std::to_string(workers[0]) + " was killed by signal 9 (Killed)";
  EXPECT_NE(result.err.find("absorb: " + death), std::string::npos) << result.err;
  EXPECT_NE(log().find("warning: " + death), std::string::npos) << log();
  EXPECT_NE(log().find("goes on from its newest checkpoint"), std::string::npos) << log();
}

TEST_F(StudyWorkers, WhereAllDieTheStatusTells) {
  const auto [command, workers] = two_at_work(study("", "seeds = [1]", 600));
  for (const pid_t worker : workers) ::kill(worker, SIGKILL);
  const testing::Result result = wait(command);
  EXPECT_EQ(result.status, 1) << result.err;
  EXPECT_NE(result.err.find("runs were not finished; the lines above say why"), std::string::npos) << result.err;
  for (const pid_t worker : workers)
    EXPECT_NE(result.err.find("worker process " + std::to_string(worker) + " was killed by signal 9"),
              std::string::npos)
        << result.err;
}

TEST_F(StudyWorkers, TheLogSaysWhatRanWhenALineEach) {
  const Path file = study("", "seeds = [1]", 20);
  EXPECT_EQ(run(run_arguments(file)).status, 0);
  std::vector<std::string> again = run_arguments(file);
  EXPECT_EQ(run(again).status, 0);
  std::istringstream lines(log());
  const std::regex shape(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ \d+ (info|warning): .+)");
  std::vector<std::string> texts;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(std::regex_match(line, shape)) << line;
    texts.push_back(line.substr(line.find(": ") + 2));
  }
  ASSERT_EQ(texts.size(), 10U) << log();
  EXPECT_TRUE(texts[0].starts_with("begun: ")) << texts[0];
  EXPECT_TRUE(texts[0].ends_with("(0 of 3 runs finished, 1 at a time)")) << texts[0];
  EXPECT_EQ(texts[1], "dense/seed-1 starts");
  EXPECT_EQ(texts[2], "dense/seed-1 is done");
  EXPECT_EQ(texts[7], "ended: 3 runs done, 0 failed, 0 open, 0 undeployed");
  EXPECT_TRUE(texts[8].ends_with("(3 of 3 runs finished, 1 at a time)")) << texts[8];
}

TEST_F(StudyWorkers, ALogThatCannotBeWrittenStopsNothing) {
  std::filesystem::create_directories(folder / "runs/s/absorb.log");
  EXPECT_EQ(run(run_arguments(study("", "seeds = [1]", 5))).status, 0);
}

}  // namespace
}  // namespace absorb
