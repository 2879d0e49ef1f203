// The product from its command line: bits that don't move, runs that resume, studies that grow.
#include <nlohmann/json.hpp>
#include <set>

#include "core/random.h"
#include "tests/studies/command/command_fixture.h"
#include "training/metrics.h"

namespace absorb {
namespace {

using StudyCommand = testing::CommandTest;

const std::vector<std::string> run_names = {"dense/seed-1",
                                            "dense/seed-2",
                                            "learned.attention/seed-1",
                                            "learned.attention/seed-2",
                                            "random.attention/seed-1",
                                            "random.attention/seed-2"};

void expect_same_runs(const Path& a, const Path& b) {
  for (const std::string& name : run_names)
    for (const char* file : {"metrics.jsonl", "weights.safetensors", "result.json"})
      EXPECT_EQ(hash_hex(read_file(a / name / file)), hash_hex(read_file(b / name / file))) << name << '/' << file;
}

void expect_each_step_once(const Path& run, int64_t steps) {
  int64_t next = 1;
  for (const auto& line : read_metrics(run / "metrics.jsonl"))
    if (line.contains("loss")) EXPECT_EQ(line.at("step").get<int64_t>(), next++) << run;
  EXPECT_EQ(next, steps + 1) << run;
}

TEST_F(StudyCommand, TheSameSeedGivesTheSameBitsWithOneJobAndWithTwo) {
  const Path file = study();
  const auto one = run(run_arguments(file, "a"));
  ASSERT_EQ(one.status, 0) << one.err;
  EXPECT_NE(one.out.find("routing"), std::string::npos);
  EXPECT_NE(one.out.find("report.html"), std::string::npos);
  ASSERT_EQ(run(run_arguments(file, "b")).status, 0);
  auto two_jobs = run_arguments(file, "c");
  two_jobs.back() = "2";
  ASSERT_EQ(run(two_jobs).status, 0);
  expect_same_runs(folder / "a/s", folder / "b/s");
  expect_same_runs(folder / "a/s", folder / "c/s");
}

TEST_F(StudyCommand, KilledAtTwentyMomentsItEndsWithTheSameBits) {
  const Path file = study("", "seeds = [1, 2]", 100);
  ASSERT_EQ(run(run_arguments(file, "whole")).status, 0);
  Random random(stream_key(1, "kill"));
  for (int kill = 0; kill < 20; ++kill) {
    const pid_t pid = start(run_arguments(file, "cut"));
    if (kill == 10) {  // inside a checkpoint write: wait until one is being written aside
      const auto writing = [&] {
        for (const std::string& name : run_names) {
          std::error_code ignored;
          for (const auto& entry :
               std::filesystem::directory_iterator(folder / "cut/s" / name / "checkpoints", ignored))
            if (entry.path().extension() == ".tmp") return true;
        }
        return false;
      };
      while (!writing() && ::waitpid(pid, nullptr, WNOHANG) == 0) {
      }
    } else {
      ::usleep(static_cast<useconds_t>(300000 + random.below(900000)));
    }
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  const auto last = run(run_arguments(file, "cut"));
  ASSERT_EQ(last.status, 0) << last.err;
  expect_same_runs(folder / "whole/s", folder / "cut/s");
  for (const std::string& name : run_names) expect_each_step_once(folder / "cut/s" / name, 100);
}

TEST_F(StudyCommand, AnInterruptWritesACheckpointAndSaysHowToGoOn) {
  const Path file = study("", "seeds = [1]", 400);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) {
    const std::string runs = "runs" + std::to_string(signal);
    const pid_t pid = start(run_arguments(file, runs));
    while (!std::filesystem::exists(folder / runs / "s/dense/seed-1/checkpoints/step-00000005")) ::usleep(1000);
    ::kill(pid, signal);
    const auto result = wait(pid);
    EXPECT_EQ(result.status, 75) << result.err;
    EXPECT_NE(result.err.find("same command goes on"), std::string::npos) << result.err;
    EXPECT_FALSE(std::filesystem::exists(folder / runs / "s/dense/seed-1/DONE"));
  }
}

TEST_F(StudyCommand, AnInterruptOfTheWholeProcessGroupStillLeavesCheckpoints) {
  const Path file = study("", "seeds = [1]", 400);
  auto arguments = run_arguments(file, "runs",
                                 {"--set", "training.checkpoint_every=100000", "--set", "model.layers=4", "--set",
                                  "model.width=256", "--set", "training.batch=128"});    // slow steps
  std::replace(arguments.begin(), arguments.end(), std::string("1"), std::string("2"));  // --jobs
  const pid_t pid = start(arguments, /*own_group=*/true);
  const Path metrics = folder / "runs/s/dense/seed-1/metrics.jsonl";
  while (read_metrics(metrics).empty()) ::usleep(1000);
  ::kill(-pid, SIGTERM);  // as `timeout` and batch systems do: parent and workers all get it
  EXPECT_EQ(wait(pid).status, 75);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder / "runs/s/dense/seed-1/checkpoints"),
                          std::filesystem::directory_iterator()),
            1);
}

TEST_F(StudyCommand, AddingASeedTrainsThatSeedAlone) {
  const Path file = study("", "seeds = [1]");
  ASSERT_EQ(run(run_arguments(file)).status, 0);
  const auto stamp = [&](const char* name) {
    return std::filesystem::last_write_time(folder / "runs/s" / name / "DONE");
  };
  const auto dense = stamp("dense/seed-1"), learned = stamp("learned.attention/seed-1");
  study("", "seeds = [1, 2]");
  ASSERT_EQ(run(run_arguments(file)).status, 0);
  EXPECT_EQ(stamp("dense/seed-1"), dense);
  EXPECT_EQ(stamp("learned.attention/seed-1"), learned);
  EXPECT_TRUE(std::filesystem::exists(folder / "runs/s/random.attention/seed-2/DONE"));
}

// What changes no weight may still stand side by side in one figure: another rhythm, other text, other draws.
TEST_F(StudyCommand, WhatAFigureWouldMixIsRefusedWithTheDifference) {
  const Path file = study("", "seeds = [1]", 20);
  ASSERT_EQ(run(run_arguments(file)).status, 0);
  for (const auto& [set, words] :
       {std::pair{"training.evaluation_tokens=512", "training.evaluation_tokens: 65536 -> 512"},
        {"training.evaluate_every=5", "training.evaluate_every: 20 -> 5"},
        {"training.accounts_every=3", "training.accounts_every: 10 -> 3"},
        {"routing.swap_draws=4", "swap_draws: 2 -> 4"}}) {
    const auto result = run(run_arguments(file, "runs", {"--set", set}));
    EXPECT_EQ(result.status, 2) << set;
    EXPECT_NE(result.err.find(words), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("one figure would mix both"), std::string::npos) << result.err;
  }
  EXPECT_EQ(run(run_arguments(file, "runs", {"--set", "training.checkpoint_every=7"})).status, 0);
}

TEST_F(StudyCommand, TrainsInBf16AsARunOfItsOwn) {
  const Path file = study("", "seeds = [1]", 20);
  const auto whole = run(run_arguments(file, "whole")),
             half = run(run_arguments(file, "half", {"--set", "training.precision=bf16"}));
  ASSERT_EQ(whole.status, 0) << whole.err;
  ASSERT_EQ(half.status, 0) << half.err;
  const auto done = [&](const std::string& runs) {
    return read_file(folder / runs / "s" / "learned.attention" / "seed-1" / "DONE");
  };
  EXPECT_NE(done("whole"), done("half"));
  const auto mixed = run(run_arguments(file, "whole", {"--set", "training.precision=bf16"}));
  EXPECT_EQ(mixed.status, 2) << "finished runs aren't taken for those of another precision";
  EXPECT_NE(mixed.err.find("precision"), std::string::npos) << mixed.err;
}

TEST_F(StudyCommand, ThreeWorkersOneOfThemKilledFinishEveryRunOnce) {
  const Path file = study("", "seeds = [1, 2]", 150);
  std::vector<pid_t> workers;
  for (int i = 0; i < 3; ++i) workers.push_back(start(run_arguments(file, "runs", {"--worker"})));
  ::usleep(1500000);
  ::kill(workers[1], SIGKILL);
  for (const pid_t worker : workers) ::waitpid(worker, nullptr, 0);
  ASSERT_EQ(run(run_arguments(file)).status, 0);
  ASSERT_EQ(run(run_arguments(file, "alone")).status, 0);
  expect_same_runs(folder / "runs/s", folder / "alone/s");
  for (const std::string& name : run_names) expect_each_step_once(folder / "runs/s" / name, 150);
}

TEST_F(StudyCommand, ANanStopsThatRunAndTheStudyGoesOn) {
  const Path file =
      study("[[arm]]\nname = \"broken\"\ntraining.learning_rate = 100\ntraining.weight_decay = 10\n", "seeds = [1]");
  const auto result = run(run_arguments(file));
  EXPECT_EQ(result.status, 3) << result.err;
  EXPECT_NE(read_file(folder / "runs/s/broken.attention/seed-1/FAILED").find("step "), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(folder / "runs/s/random.attention/seed-1/DONE"));
  const auto again = run(run_arguments(file));
  EXPECT_EQ(again.status, 3);
}

TEST_F(StudyCommand, LaterContrastsAreExploratoryAndTheLockStays) {
  const Path file = study("", "seeds = [1]");
  ASSERT_EQ(run(run_arguments(file)).status, 0);
  const std::string lock = read_file(folder / "runs/s/analysis.lock");
  study("[[contrast]]\nname = \"late\"\ntreatment = \"random\"\ncontrol = \"learned\"\n", "seeds = [1]");
  ASSERT_EQ(run(run_arguments(file)).status, 0);
  EXPECT_EQ(read_file(folder / "runs/s/analysis.lock"), lock);
  const auto results = nlohmann::json::parse(read_file(folder / "runs/s/results.json"));
  for (const auto& contrast : results.at("contrasts"))
    EXPECT_EQ(contrast.at("kind") == "exploratory", contrast.at("name") == "late");
}

TEST_F(StudyCommand, StatusReportListAndDoctorLook) {
  const Path file = study("", "seeds = [1]");
  const auto dry = run({"run", file.string(), "--runs", (folder / "none").string(), "--dry-run"});
  EXPECT_EQ(dry.status, 0) << dry.err;
  for (const char* word : {"learned.attention", "[routing.attention]", "untied", "disk:", "time:"})
    EXPECT_NE(dry.out.find(word), std::string::npos) << word;
  EXPECT_FALSE(std::filesystem::exists(folder / "none"));
  ASSERT_EQ(run(run_arguments(file)).status, 0);
  const std::string dir = (folder / "runs/s").string();
  EXPECT_NE(run({"status", dir}).out.find("3 runs: 3 done"), std::string::npos);
  EXPECT_EQ(run({"report", dir}).status, 0);
  EXPECT_NE(run({"list", "routers"}).out.find("bilinear"), std::string::npos);
  EXPECT_NE(run({"list", "settings"}).out.find("learning_rate"), std::string::npos);
  EXPECT_NE(run({"doctor"}).out.find("CPU"), std::string::npos);
  EXPECT_NE(run({"--help"}).out.find("absorb run configs/quick.toml"), std::string::npos);
  EXPECT_NE(run({"--version"}).out.find("LibTorch"), std::string::npos);
}

}  // namespace
}  // namespace absorb
