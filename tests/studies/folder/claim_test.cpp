// Who has a run: one worker at a time, as long as it lives, wherever its clock stands.
#include "studies/folder/claim.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <thread>

#include "studies/folder/paths.h"

namespace absorb {
namespace {

class StudiesClaim : public testing::Test {
 protected:
  StudiesClaim() {
    std::string name = (std::filesystem::temp_directory_path() / "absorb-claim-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    ::setenv("ABSORB_STALE_AFTER", "1", 1);
  }
  ~StudiesClaim() override {
    ::unsetenv("ABSORB_STALE_AFTER");
    std::filesystem::remove_all(folder);
  }
  // A claim of another host whose clock is `ahead` seconds before ours.
  void of_elsewhere(int64_t ahead) const {
    write_record(folder / "claim.json", ClaimRecord{"elsewhere", 1, std::time(nullptr) + ahead, {}});
  }
  static void pass(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }
  Path folder;
};

TEST_F(StudiesClaim, IsOneWorkersUntilItLetsGo) {
  {
    const auto held = Claim::take(folder);
    ASSERT_TRUE(held.has_value());
    EXPECT_FALSE(Claim::take(folder).has_value());
    EXPECT_TRUE(live_claim(folder).has_value());
  }
  EXPECT_FALSE(live_claim(folder).has_value());
  EXPECT_TRUE(Claim::take(folder).has_value());
}

TEST_F(StudiesClaim, BeatsWithoutBeingAskedTo) {
  const auto held = Claim::take(folder);
  const int64_t first = live_claim(folder)->heartbeat;
  pass(2.2);
  EXPECT_GE(live_claim(folder)->heartbeat, first + 1);
}

TEST_F(StudiesClaim, KeepsItsProgressWhileItBeats) {
  auto held = Claim::take(folder);
  pass(1.1);
  held->beat({7, 10, 1.5, 100, 3});
  pass(0.5);
  EXPECT_EQ(live_claim(folder)->progress.step, 7);
}

TEST_F(StudiesClaim, OfAnotherHostDiesWithItsHeartbeat) {
  of_elsewhere(0);
  EXPECT_FALSE(Claim::take(folder).has_value());
  of_elsewhere(-5);
  EXPECT_TRUE(Claim::take(folder).has_value());
}

TEST_F(StudiesClaim, OfAHostWhoseClockIsAheadDiesWhenItStopsToBeat) {
  of_elsewhere(1000);
  EXPECT_FALSE(Claim::take(folder).has_value());
  pass(0.7);
  of_elsewhere(1001);  // it beats
  EXPECT_FALSE(Claim::take(folder).has_value());
  pass(0.7);
  EXPECT_FALSE(Claim::take(folder).has_value());
  pass(0.7);
  EXPECT_TRUE(Claim::take(folder).has_value());
}

TEST_F(StudiesClaim, RemovesWhatADeadWorkerWasWriting) {
  write_file(folder / "result.json.tmp.00ff00ff00ff00ff", "half");
  write_file(folder / "result.json", "whole");
  const auto held = Claim::take(folder);
  EXPECT_FALSE(std::filesystem::exists(folder / "result.json.tmp.00ff00ff00ff00ff"));
  EXPECT_TRUE(std::filesystem::exists(folder / "result.json"));
}

}  // namespace
}  // namespace absorb
