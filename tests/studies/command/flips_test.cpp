// Bits that flip in any file of a finished study, and of one that was interrupted: each is found, or changes nothing.
#include <fmt/format.h>

#include <cstdlib>
#include <random>

#include "tests/studies/command/small_study.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

class StudyFlips : public testing::SmallStudyTest {
 protected:
  // Files that a command reads: what it writes anew each time, logs and locks apart.
  std::vector<Path> files(const std::string& runs) const {
    std::vector<Path> found;
    for (const auto& entry : fs::recursive_directory_iterator(folder / runs)) {
      const std::string name = entry.path().filename(), kind = entry.path().extension();
      if (entry.is_regular_file() && entry.file_size() > 0 && kind != ".csv" && kind != ".html" && kind != ".log" &&
          name != "results.json" && name != "claim.lock")
        found.push_back(entry.path());
    }
    std::ranges::sort(found);
    return found;
  }
  // "file, byte, bit" of what was flipped.
  static std::string flip(const Path& file, std::mt19937_64& random) {
    std::string bytes = read_file(file);
    const std::size_t at = random() % bytes.size();
    const auto bit = static_cast<int>(random() % 8);
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
    std::ofstream(file, std::ios::binary) << bytes;
    return fmt::format("{}, byte {}, bit {}", file.string(), at, bit);
  }
  static void expect_one_line(const testing::Result& result, const std::string& what) {
    EXPECT_EQ(result.status, 2) << what << '\n' << result.err;
    EXPECT_NE(result.err.find("absorb: "), std::string::npos) << what << '\n' << result.err;
    EXPECT_EQ(result.err.find("internal error"), std::string::npos) << what << '\n' << result.err;
  }
};

TEST_F(StudyFlips, OfAFinishedStudy) {
  ASSERT_EQ(run(run_arguments(small(6))).status, 0);
  const std::string study = (folder / "runs/s").string();
  ASSERT_EQ(run(compensate("runs")).status, 0);
  ASSERT_EQ(run({"report", study}).status, 0);
  const std::string expected = results("runs");
  std::mt19937_64 random(static_cast<uint64_t>(stated("ABSORB_FLIP_SEED", 1)));
  const std::vector<Path> all = files("runs");
  int64_t found = 0;
  const int64_t flips = stated("ABSORB_FLIPS", 15);
  for (int64_t i = 0; i < flips; ++i) {
    const Path& file = all[random() % all.size()];
    const std::string before = read_file(file), what = flip(file, random);
    const bool weights = file.extension() == ".safetensors" && file.filename().string().starts_with("weights");
    const testing::Result result = run({weights ? "verify" : "report", study});
    if (result.status == 0) {
      EXPECT_FALSE(weights) << what;
      // The page says of a damaged measurement that it is left out.
      const std::string now = results("runs");
      if (now.find(file.string()) == std::string::npos) EXPECT_EQ(now, expected) << what;
    } else if (weights) {
      EXPECT_NE(result.err.find("another checksum") + result.out.find("another checksum"), 2 * std::string::npos)
          << what;
    } else {
      expect_one_line(result, what);
    }
    found += result.status == 0 ? 0 : 1;
    std::ofstream(file, std::ios::binary) << before;
  }
  std::fprintf(stderr, "%ld of %ld flipped bits were found, the others changed nothing\n", static_cast<long>(found),
               static_cast<long>(flips));
}

TEST_F(StudyFlips, OfAStudyThatWasInterrupted) {
  const Path file = small(12);
  ASSERT_EQ(run(run_arguments(file, "whole", {"--set", "training.checkpoint_every=4"})).status, 0);
  const std::string expected = results("whole");
  // Killed after the first checkpoint of the second run.
  const auto again = [&](const std::string& runs) {
    return run_arguments(file, runs, {"--set", "training.checkpoint_every=4"});
  };
  int64_t calls = 0;
  for (calls = 150; calls < 1000; calls += 20) {
    fs::remove_all(folder / "half");
    ::setenv("ABSORB_FAULT", fmt::format("kill:{}", calls).c_str(), 1);
    const pid_t pid = start(again("half"));
    ::unsetenv("ABSORB_FAULT");
    if (wait(pid).status == 0) break;
    if (fs::exists(folder / "half/s/random.attention/seed-1/checkpoints/step-00000004") ||
        fs::exists(folder / "half/s/learned.attention/seed-1/checkpoints/step-00000008"))
      break;
  }
  ASSERT_FALSE(fs::exists(folder / "half/s/report.html"));
  std::mt19937_64 random(static_cast<uint64_t>(stated("ABSORB_FLIP_SEED", 1)));
  const std::vector<Path> all = files("half");
  int64_t found = 0;
  const int64_t flips = stated("ABSORB_FLIPS", 12);
  for (int64_t i = 0; i < flips; ++i) {
    fs::remove_all(folder / "tried");
    fs::copy(folder / "half", folder / "tried", fs::copy_options::recursive);
    const std::string name = all[random() % all.size()].lexically_relative(folder / "half");
    const std::string what = flip(folder / "tried" / name, random);
    const testing::Result result = run(again("tried"));
    if (result.status == 0)
      EXPECT_EQ(results("tried"), expected) << what;
    else
      expect_one_line(result, what);
    found += result.status == 0 ? 0 : 1;
  }
  std::fprintf(stderr, "%ld of %ld flipped bits stopped the study, the others changed nothing\n",
               static_cast<long>(found), static_cast<long>(flips));
}

}  // namespace
}  // namespace absorb
