// Runs on threads of one process: the bits of a run alone, whatever happens to the others. On a CPU the command uses
// processes; the threads are the same.
#include "studies/work/crew.h"

#include <c10/util/Exception.h>
#include <torch/types.h>

#include <atomic>
#include <barrier>
#include <thread>

#include "core/error.h"
#include "core/random.h"
#include "studies/run/interrupt.h"
#include "studies/study/study.h"
#include "studies/work/jobs.h"
#include "tests/studies/command/command_fixture.h"
#include "training/checkpoint.h"

namespace absorb {
namespace {

class StudyCrew : public testing::CommandTest {
 protected:
  RunPlan plan(const Path& file, const std::string& runs, const std::vector<std::string>& sets = {}) const {
    return plan_runs(read_study(file, sets), folder / runs);
  }
  static WorkOptions options(int64_t jobs, at::Device device = at::kCPU) {
    WorkOptions out;
    out.device = device;
    out.jobs = jobs;
    out.threads = true;
    return out;
  }
  static void expect_same_runs(const RunPlan& a, const RunPlan& b) {
    ASSERT_EQ(a.runs.size(), b.runs.size());
    for (std::size_t i = 0; i < a.runs.size(); ++i)
      for (const char* file : {"metrics.jsonl", "weights.safetensors", "result.json"})
        EXPECT_EQ(hash_hex(read_file(a.runs[i].folder / file)), hash_hex(read_file(b.runs[i].folder / file)))
            << a.runs[i].name() << '/' << file;
  }
  /// An arm that can't start, and one that waits for it for ever.
  static std::string broken_arms() {
    return "[[arm]]\nname = \"broken\"\nfrom = \"dense\"\nreinitialise = [\"nothing\"]\n"
           "[[arm]]\nname = \"waiting\"\nfrom = \"broken\"\n";
  }
};

TEST_F(StudyCrew, ThreadsGiveTheBitsOfOneAfterTheOther) {
  const Path file = study();
  const RunPlan alone = plan(file, "alone"), together = plan(file, "together");
  EXPECT_EQ(work(alone, options(1)).done, 6);
  EXPECT_EQ(work(together, options(3)).done, 6);
  expect_same_runs(alone, together);
}

TEST_F(StudyCrew, ARunThatCannotStartIsGivenUpAndTheOthersAreDone) {
  const RunPlan broken = plan(study(broken_arms(), "seeds = [1]"), "runs");
  EXPECT_THROW(work(broken, options(2)), UserError);
  for (const RunSpec& run : broken.runs)
    EXPECT_EQ(is_closed(run), run.arm != "broken" && run.arm != "waiting") << run.name();
}

TEST_F(StudyCrew, AFolderThatCannotBeMadeIsAnErrorOfTheWhole) {
  const RunPlan runs = plan(study("", "seeds = [1]"), "runs");
  std::filesystem::create_directories(runs.folder);
  std::ofstream(runs.folder / "dense") << "a file";
  EXPECT_ANY_THROW(work(runs, options(2)));
}

TEST_F(StudyCrew, WhereMemoryRunsOutFewerGoOnAndEveryRunIsDone) {
  const RunPlan runs = plan(study(), "runs");
  const WorkOptions three = options(3);
  std::atomic<int> refused = 0, done = 0;
  Crew crew(runs, three, [&](const RunSpec& run, Claim&, const RunnerOptions& runner) {
    // Two of three at a time are too many.
    if (runner.shares_memory()) {
      ++refused;
      throw c10::OutOfMemoryError({}, "");
    }
    ++done;
    write_file(run.folder / "DONE", "");
    return RunEnd::done;
  });
  crew.work(3);
  // Two leave; the third may have asked before they did, and tries again.
  EXPECT_GE(refused, 2);
  EXPECT_LE(refused, 3);
  EXPECT_EQ(done, 6);
}

TEST_F(StudyCrew, OfTwoThatRunOutOfMemoryAtOnceOneTriesAgain) {
  const RunPlan runs = plan(study("", "seeds = [1]"), "runs");
  const WorkOptions two = options(2);
  std::atomic<int> attempts = 0;
  std::barrier both(2);
  Crew crew(runs, two, [&](const RunSpec& run, Claim&, const RunnerOptions&) {
    if (++attempts <= 2) {
      both.arrive_and_wait();
      throw c10::OutOfMemoryError({}, "");
    }
    write_file(run.folder / "DONE", "");
    return RunEnd::done;
  });
  EXPECT_NO_THROW(crew.work(2));
  EXPECT_EQ(attempts, 5);
}

TEST_F(StudyCrew, ARunWithoutMemoryAloneIsAnError) {
  const RunPlan runs = plan(study("", "seeds = [1]"), "runs");
  const WorkOptions two = options(2);
  Crew crew(runs, two,
            [](const RunSpec&, Claim&, const RunnerOptions&) -> RunEnd { throw c10::OutOfMemoryError({}, ""); });
  EXPECT_THROW(crew.work(2), c10::OutOfMemoryError);
}

TEST_F(StudyCrew, AnInterruptLeavesACheckpointOfEveryRunUnderWay) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto interrupted_work = [this] {
    const RunPlan runs = plan(study("", "seeds = [1]", 100000), "runs", {"training.checkpoint_every=100000"});
    const auto has_checkpoint = [&](std::size_t i) {
      return !read_checkpoint(runs.runs[i].folder, [](const std::string&) {}).model.empty();
    };
    const auto trains = [&](std::size_t i) { return std::filesystem::exists(runs.runs[i].folder / "metrics.jsonl"); };
    const std::jthread killer([&] {
      while (!trains(0) || !trains(1)) ::usleep(1000);
      ::raise(SIGTERM);
    });
    const WorkResult result = work(runs, options(2));
    std::_Exit(result.interrupted && result.open == 3 && has_checkpoint(0) && has_checkpoint(1) ? 75 : 1);
  };
  EXPECT_EXIT(interrupted_work(), ::testing::ExitedWithCode(75), "");
}

TEST_F(StudyCrew, AThreadCannotTakeWhatAnotherHolds) {
  std::optional<Claim> first = Claim::take(folder / "run");
  ASSERT_TRUE(first);
  std::thread([&] { EXPECT_FALSE(Claim::take(folder / "run")); }).join();
  first.reset();
  EXPECT_TRUE(Claim::take(folder / "run"));
}

TEST_F(StudyCrew, RunsThatNeedOtherSwitchesOfTheProcessDontShareIt) {
  const Path file = study("[[arm]]\nname = \"exact\"\ntraining.tf32 = false\n", "seeds = [1]");
  EXPECT_FALSE(share_switches(plan(file, "runs")));
  EXPECT_TRUE(share_switches(plan(file, "runs", {"training.tf32=false"})));
  EXPECT_EQ(work(plan(file, "runs"), options(2)).done, 4);
}

TEST(Jobs, AreAsManyAsHelpAndFit) {
  const GpuLoad tiny{6e9, 1e8}, small{1e12, 2e9}, large{6e12, 6e9};
  EXPECT_EQ(runs_that_help({small, small, small, small}, 80e9), 3);
  EXPECT_EQ(runs_that_help(std::vector<GpuLoad>(20, tiny), 80e9), 8);
  EXPECT_EQ(runs_that_help({tiny, tiny, tiny, tiny, small}, 80e9), 3) << "as the largest";
  EXPECT_EQ(runs_that_help({small}, 80e9), 1) << "one run";
  EXPECT_EQ(runs_that_help({small, small, small, small}, 5.1e9), 2) << "memory";
  EXPECT_EQ(runs_that_help({small, small}, 1e9), 1) << "memory for less than one";
  EXPECT_EQ(runs_that_help({small, small, large}, 80e9), 1) << "one of them fills the GPU";
  EXPECT_EQ(runs_that_help(std::vector<GpuLoad>{}, 80e9), 1);
}

class StudyCrewGpu : public StudyCrew {
 protected:
  void SetUp() override {
    if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "no GPU";
  }
  /// Arms whose steps are captured, one whose steps never are, and experts; with dropout.
  Path mixed_study(int steps) const {
    const Path file = folder / "study.toml";
    std::ofstream(file)
        << "[study]\nname = \"s\"\ntargets = [\"attention\", \"moe\"]\nmatch = \"none\"\nseeds = [1, 2]\n"
        << "[data]\ntype = \"recall\"\nsequences = 64\n"
        << "[model]\nlayers = 2\nwidth = 128\nheads = 2\ncontext = 32\ndropout = 0.1\nmoe.experts = 4\n"
        << "[training]\nsteps = " << steps
        << "\nbatch = 16\nwarmup = 5\ncheckpoint_every = 50\nevaluate_every = 20\naccounts_every = 7\n"
        << "precision = \"bf16\"\n"
        << "[routing]\nrouter = { type = \"bilinear\", rank = 16 }\nselection = { type = \"soft\" }\n"
        << R"(
[[arm]]
name = "soft"
targets = ["attention"]
routing.losses.sparsity = 1.0
[[arm]]
name = "hard"
targets = ["attention"]
routing.selection = { type = "top_k", k = 4 }
[[arm]]
name = "experts"
targets = ["moe"]
routing.router = { type = "linear" }
routing.selection = { type = "top_k", k = 2 }
[[arm]]
name = "exact"
targets = ["attention"]
training.precision = "fp32"
[[deployment]]
name = "harder"
arms = ["soft"]
routing.attention.selection = { type = "top_k", k = 2, weight = "one" }
)";
    return file;
  }
};

TEST_F(StudyCrewGpu, RunsBesideOthersHaveTheBitsOfRunsAlone) {
  const Path file = mixed_study(120);
  const RunPlan alone = plan(file, "alone");
  const auto runs = static_cast<int64_t>(alone.runs.size());
  EXPECT_EQ(work(alone, options(1, at::Device(at::kCUDA, 0))).done, runs);
  for (const int64_t jobs : {2, 4}) {
    const RunPlan together = plan(file, fmt::format("together-{}", jobs));
    EXPECT_EQ(work(together, options(jobs, at::Device(at::kCUDA, 0))).done, runs);
    expect_same_runs(alone, together);
  }
}

}  // namespace
}  // namespace absorb
